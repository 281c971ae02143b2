"""Weights rounded in blocks: w ~ scale * (q - zero point), one scale and one zero point for each block.

The columns of an array are the blocks here: then sums over a block are sums of whole rows, which numpy does fastest.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STRETCHES = np.arange(-2.5, 1.5, 0.5, dtype=np.float32)
"""How many steps more than there are levels a block's range is divided into, one try each: 0 uses its range exactly,
less leaves levels unused, more cuts the ends off. A finer grid hardly lowers the error any further."""
OFF_GRID = 1e-3
"""Steps that a weight on a grid may lie beside it; float32 has it to 1e-6."""
SMALLEST = np.float32(1e-38)


class Blocks(NamedTuple):
    """Rounded blocks."""

    levels: Array
    """uint8 [size, blocks]: q, from 0 to 2^bits - 1."""
    scales: Array
    """[blocks], of the type they are kept in."""
    zero_points: Array
    """uint8 [blocks]."""


Rounding = Callable[[Array, int, npt.DTypeLike], Blocks]
"""What a function of this file does; its arguments are explained at k_quant."""


def k_quant(weights: Array, bits: int, scale_type: npt.DTypeLike) -> Blocks:
    """The scale and zero point of each block with the least weighted error, of those that a short search tries.

    As in llama.cpp's k-quants (make_qkx2_quants in ggml-quants.c), large weights count more, by |w| + rms(w), and each
    try's scale is that of least squares. Other than there, zero points are whole from the beginning, as MatMulNBits has
    them: rounded at the end, as onnxruntime's k_quant does, they lose more than the search gains.

    Args:
        weights: float32 [size, blocks].
        bits: 4 or 8.
        scale_type: the floating-point type that scales are kept in; levels are chosen for scales of this precision.
    """
    importance = np.abs(weights)
    importance += np.sqrt(np.mean(np.square(weights), axis=0))
    important = importance * weights
    low, spread = _range(weights)
    top = np.float32(2**bits - 1)
    most, scales, zero_points = np.zeros_like(low), np.ones_like(low), np.zeros_like(low)
    for stretch in STRETCHES:
        per_weight = (top + stretch) / spread
        zeros = np.clip(np.rint(-low * per_weight), 0, top)
        steps = _steps(weights * per_weight, zeros, top)
        along = np.sum(important * steps, axis=0)
        square = np.sum(np.square(steps, out=steps) * importance, axis=0)
        # The weighted error of the best scale, along / square, is sum(importance * weights^2) less this.
        gain = np.square(along) / np.maximum(square, SMALLEST)
        better = gain > most
        np.copyto(most, gain, where=better)
        np.copyto(scales, along / np.maximum(square, SMALLEST), where=better)
        np.copyto(zero_points, zeros, where=better)
    kept = scales.astype(scale_type)
    levels = _steps(weights / _no_zeros(kept.astype(np.float32)), zero_points, top) + zero_points
    return Blocks(levels.astype(np.uint8), kept, zero_points.astype(np.uint8))


def on_grid(weights: Array, bits: int, scale_type: npt.DTypeLike) -> Blocks:
    """Of blocks whose weights lie on a grid already, as GPTQ leaves them, that grid; of others k_quant's.

    The step is the least weight's size divided by one of the numbers of steps that it may be.
    """
    levels, scales, zero_points = k_quant(weights, bits, scale_type)
    sizes = np.abs(weights)
    least = np.min(sizes, axis=0, where=sizes > 0, initial=np.inf)
    open_, top = np.isfinite(least), 2**bits - 1
    for steps in range(1, top + 1):
        scale = np.where(open_, least / steps, 1)
        along = weights / scale
        whole = np.rint(along)
        low = np.minimum(np.min(whole, axis=0), 0)
        fits = open_ & (np.max(np.abs(along - whole), axis=0) < OFF_GRID) & (np.max(whole - low, axis=0) <= top)
        np.copyto(levels, whole - low, where=fits, casting="unsafe")
        np.copyto(scales, scale, where=fits, casting="unsafe")
        np.copyto(zero_points, -low, where=fits, casting="unsafe")
        open_ &= ~fits
    return Blocks(levels, scales, zero_points)


def nearest(weights: Array, bits: int, scale_type: npt.DTypeLike) -> Blocks:
    """Round to nearest, the block's range divided evenly: what onnxruntime calls RTN, with zero points.

    Its levels are those of onnxruntime, but for blocks whose weights are all of one sign: there zero must be in the
    range, since no zero point lies outside of it.
    """
    low, spread = _range(weights)
    top = 2**bits - 1
    scales = spread.astype(np.float64) / top
    zero_points = np.clip(np.rint(-low / scales), 0, top)
    levels = np.clip(np.rint(weights / scales + zero_points), 0, top)
    return Blocks(levels.astype(np.uint8), scales.astype(scale_type), zero_points.astype(np.uint8))


def nearest_symmetric(weights: Array, bits: int, scale_type: npt.DTypeLike) -> Blocks:
    """Round to nearest with the zero point in the middle of the levels: onnxruntime's symmetric RTN, number for number.

    Its step divides twice the largest weight by 2^bits - 1, so that the largest positive weight is cut by half a step.
    """
    top = 2**bits - 1
    widest = np.max(np.abs(weights), axis=0)
    scales = np.where(widest > 0, widest * 2, top).astype(np.float64) / top
    middle = 2 ** (bits - 1)
    levels = np.clip(np.rint(weights / scales + middle), 0, top)
    zero_points = np.full(weights.shape[1], middle, np.uint8)
    return Blocks(levels.astype(np.uint8), scales.astype(scale_type), zero_points)


def _range(weights: Array) -> tuple[Array, Array]:
    """The least weight of each block, or 0, and the width of a range from there that has all weights and 0 in it."""
    low = np.minimum(np.min(weights, axis=0), 0)
    return low, _no_zeros(np.maximum(np.max(weights, axis=0), 0) - low)


def _no_zeros(divisors: Array) -> Array:
    """Divisors with 1 for 0: that of a block of zeros."""
    divisors[divisors == 0] = 1
    return divisors


def _steps(scaled: Array, zeros: Array, top: np.float32) -> Array:
    """Whole steps from the zero point, in place, as far as there are levels."""
    np.rint(scaled, out=scaled)
    np.maximum(scaled, -zeros, out=scaled)
    return np.minimum(scaled, top - zeros, out=scaled)
