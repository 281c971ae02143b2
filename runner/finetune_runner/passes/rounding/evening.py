"""Blocks whose errors add up, rounded anew in part, so that the errors of a block cancel.

A product's error is its weights' errors times its inputs, and inputs have a mean: what errors of one block have in
common counts block size times as much as what they don't. Errors of independent weights have next to nothing in common.
But weights that were rounded before, as a base dequantised from NF4, have few values, each of which is rounded to the
same side wherever it stands.
"""

import numpy as np

from finetune_runner.passes.rounding.blocks import Array, Blocks

ADD_UP = 2.0
"""From here on errors add up: mean square of the blocks' sums, as multiple of what independent errors have."""
HALF_WAY = 0.4
"""Steps from its level, from which on a weight may move to the next, which is 0.6 steps away then at most."""
NEVER = -1.0
"""As the error of a weight that has no level further on: none is smaller."""


def evened(blocks: Blocks, weights: Array, bits: int) -> Blocks:
    """Blocks whose levels differ by one where the errors of all these blocks add up; else the same.

    Of each block so many weights go to their second nearest level as bring the sum of its errors nearest to zero, as
    far as there are such that lie about half way between the two: those first for which it makes the least difference.

    Args:
        blocks: as weights were rounded.
        weights: float32 [size, blocks].
        bits: 4 or 8.
    """
    levels = blocks.levels.astype(np.float32)
    scales = blocks.scales.astype(np.float32)
    per_step = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    errors = levels - blocks.zero_points - weights * per_step  # in steps
    sums = np.sum(errors, axis=0)
    if not _add_up(errors, sums, scales):
        return blocks
    back = np.sign(sums)
    errors *= back
    levels -= back
    errors[(levels < 0) | (levels > 2**bits - 1)] = NEVER
    order = np.argsort(-errors, axis=0, kind="stable")
    count = np.minimum(np.rint(np.abs(sums)), np.sum(errors >= HALF_WAY, axis=0))
    moved = np.zeros(errors.shape, bool)
    np.put_along_axis(moved, order, np.arange(len(errors))[:, None] < count, axis=0)
    return blocks._replace(levels=np.where(moved, levels, blocks.levels).astype(np.uint8))


def _add_up(errors: Array, sums: Array, scales: Array) -> bool:
    """Whether blocks' errors, both in steps, are to one side more often than by chance."""
    square = np.square(scales)
    return bool(np.sum(np.square(sums) * square) > ADD_UP * np.sum(np.square(errors) * square))
