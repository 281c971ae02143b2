"""The functions that matrices are rounded by, by the names that an export calls them."""

import numpy.typing as npt

from finetune_runner.passes.rounding.blocks import Array, Blocks, Rounding, k_quant, nearest, nearest_symmetric
from finetune_runner.passes.rounding.evening import evened


def rounding_by(method: str, *, symmetric: bool) -> Rounding:
    """The function of a method: k_quant or rtn, which may be symmetric."""
    if method == "k_quant":
        return even_k_quant
    return nearest_symmetric if symmetric else nearest


def even_k_quant(weights: Array, bits: int, scale_type: npt.DTypeLike) -> Blocks:
    """k_quant's blocks, evened where their errors add up; its arguments."""
    return evened(k_quant(weights, bits, scale_type), weights, bits)
