"""GPTQ: weights rounded one column after the other, each time moving what was lost on to the columns still to come.

Frantar et al. 2022, arXiv:2210.17323, algorithm 1. The columns are inputs of a product; what counts is not the error of
a weight but that of the product's outputs on calibration rows, which the Hessian of its inputs tells. Its inputs are no
longer those that it was trained for, since what comes before it is rounded, too. So its weights are first moved to
where the rounded inputs give the outputs that the exact ones gave: the asymmetric calibration of Li et al. 2025 (GPTAQ,
arXiv:2504.02692), here as ridge regression before algorithm 1, not column by column within it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from finetune_runner.passes.rounding.blocks import k_quant

DAMPING = 0.01
"""Share of the Hessian's mean diagonal that is added to it (section 4.3)."""
RIDGE = 0.1
"""The same where weights are moved: less follows the calibration rows too far, and loses on others."""
LEVELS = 15


@dataclass(frozen=True)
class Calibration:
    """What the calibration rows say of a product's inputs, of which there are as many as it has columns."""

    shift: torch.Tensor
    """[columns, columns]: weights @ shift is what weights are moved by."""
    factor: torch.Tensor
    """[columns, columns]: the upper Cholesky factor of the damped Hessian's inverse."""


def calibration(exact: torch.Tensor, rounded: torch.Tensor) -> Calibration:
    """Calibration by a product's inputs, both [tokens, columns].

    Args:
        exact: as the model makes them.
        rounded: as it makes them with all rounded that comes before.
    """
    exact, rounded = exact.float(), rounded.float()
    hessian = rounded.T @ rounded
    # The least |moved @ rounded.T - weights @ exact.T|^2 + ridge * |moved - weights|^2.
    lost = (exact - rounded).T @ rounded
    shift = torch.cholesky_solve(lost.T, torch.linalg.cholesky(_damped(hessian, RIDGE))).T
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(_damped(hessian, DAMPING)))
    return Calibration(shift, torch.linalg.cholesky(inverse, upper=True))


def rounded_by_gptq(weights: torch.Tensor, calibrated: Calibration, block_size: int) -> torch.Tensor:
    """The weights on a 4-bit grid, in float32, with little error on the calibration rows.

    A block's scale and zero point are k_quant's, of the weights as they are when its turn comes.

    Args:
        weights: [outputs, columns].
        calibrated: by the product's inputs.
        block_size: columns of a row that share a scale and a zero point.
    """
    left, found = torch.addmm(weights.float(), weights.float(), calibrated.shift), torch.empty(weights.shape)
    inverse = calibrated.factor
    columns = left.shape[1]
    for start in range(0, columns, block_size):
        end = min(start + block_size, columns)
        _, scales, zeros = k_quant(np.ascontiguousarray(left[:, start:end].numpy().T), 4, np.float32)
        scale, zero = torch.from_numpy(scales), torch.from_numpy(zeros).float()
        errors = torch.empty(left.shape[0], end - start)
        for column in range(start, end):
            weight = left[:, column]
            level = torch.clamp(torch.round(weight / scale + zero), 0, LEVELS)
            found[:, column] = (level - zero) * scale
            error = (weight - found[:, column]) / inverse[column, column]
            left[:, column + 1 : end] -= error[:, None] * inverse[column, column + 1 : end]
            errors[:, column - start] = error
        left[:, end:] -= errors @ inverse[start:end, end:]
    return found


def _damped(hessian: torch.Tensor, share: float) -> torch.Tensor:
    """The Hessian with a share of its mean diagonal added to it. Inputs that are never there count for nothing."""
    damped = hessian.clone()
    diagonal = torch.diagonal(damped)
    diagonal[diagonal == 0] = 1
    diagonal += share * diagonal.mean()
    return damped
