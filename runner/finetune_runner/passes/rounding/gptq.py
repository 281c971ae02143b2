"""GPTQ: weights rounded one column after the other, each time moving what was lost on to the columns still to come.

Frantar et al. 2022, arXiv:2210.17323, algorithm 1. The columns are inputs of a product; what counts is not the error of
a weight but that of the product's outputs on calibration rows, which the Hessian of its inputs tells.
"""

import numpy as np
import torch

from finetune_runner.passes.rounding.blocks import k_quant

DAMPING = 0.01
"""Share of the Hessian's mean diagonal that is added to it (section 4.3)."""
LEVELS = 15


class Hessian:
    """Sum of x xᵀ over all inputs of a product."""

    def __init__(self, columns: int) -> None:
        self.sum = torch.zeros(columns, columns)

    def add(self, inputs: torch.Tensor) -> None:
        """Inputs of shape […, columns]."""
        rows = inputs.reshape(-1, inputs.shape[-1]).float()
        self.sum.addmm_(rows.T, rows)


def rounded_by_gptq(weights: torch.Tensor, hessian: Hessian, block_size: int) -> torch.Tensor:
    """The weights on a 4-bit grid, in float32, with little error on the calibration rows.

    A block's scale and zero point are k_quant's, of the weights as they are when its turn comes.

    Args:
        weights: [outputs, columns].
        hessian: of the product's inputs.
        block_size: columns of a row that share a scale and a zero point.
    """
    left, found = weights.float().clone(), torch.empty(weights.shape)
    inverse = _inverse(hessian.sum)
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


def _inverse(hessian: torch.Tensor) -> torch.Tensor:
    """The upper Cholesky factor of the damped Hessian's inverse. Inputs that are never there count for nothing."""
    damped = hessian.clone()
    diagonal = torch.diagonal(damped)
    unused = diagonal == 0
    diagonal[unused] = 1
    diagonal += DAMPING * diagonal.mean()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor: torch.Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor
