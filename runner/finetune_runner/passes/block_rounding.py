"""k-quant in parts, for the memory's sake.

onnxruntime rounds a whole matrix at once with a dozen temporaries of its size: 9 GB for a vocabulary of 262,144 times
640. Blocks are rounded independently of each other, so rounding some at a time gives the same numbers, in less
memory, and sooner, since the temporaries then fit the processor's caches.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rounding = Callable[..., tuple[Array, Array, Array]]

BLOCKS = 8192


def in_parts(rounding: Rounding, blocks: int = BLOCKS) -> Rounding:
    """What onnxruntime's quant_tensor_k_quant_cpu does, some blocks at a time.

    Args:
        rounding: takes weights, bits and block size; gives the rounded weights as whole numbers [blocks, block size],
            their scales and their zero points [blocks, 1].
        blocks: how many at a time.
    """

    def rounded(data: Array, num_bits: int = 4, group_size: int = 32) -> tuple[Array, Array, Array]:
        rows = np.reshape(data, (-1, group_size))
        starts = range(0, len(rows), blocks)
        parts = (rounding(rows[at : at + blocks], num_bits, group_size) for at in starts)
        weights, scales, zero_points = zip(*map(_compact, parts), strict=True)
        return np.concatenate(weights), np.concatenate(scales), np.concatenate(zero_points)

    return rounded


def _compact(part: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    """The weights as the bytes that the caller makes of them anyway, instead of as float64."""
    weights, scales, zero_points = part
    return weights.astype(np.uint8), scales, zero_points


def save_memory() -> None:
    """Makes this process's onnxruntime round in parts."""
    from onnxruntime.quantization.neural_compressor import weight_only  # noqa: PLC0415

    weight_only.quant_tensor_k_quant_cpu = in_parts(weight_only.quant_tensor_k_quant_cpu)
