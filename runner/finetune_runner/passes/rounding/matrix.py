"""A matrix rounded in blocks, as onnxruntime's MatMulNBits has it.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#commicrosoftmatmulnbits
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from finetune_runner.passes.rounding.blocks import Array, Rounding

BLOCKS_AT_A_TIME = 8192
"""Their temporaries fit the caches of a core (1 MB each in blocks of 32), and the memory they take does not count."""
MOST_THREADS = 8
NIBBLE = 4

ReadRows = Callable[[int, int], Array]
"""Rows of a matrix, from one up to another, as float32 [rows, columns]."""


@dataclass(frozen=True)
class Form:
    """How a matrix is rounded."""

    rounding: Rounding
    bits: int
    """4 or 8."""
    block_size: int
    """Weights of a row that share a scale; a power of two, from 16 on."""
    scale_type: npt.DTypeLike
    keeps_zero_points: bool
    """Whether they are kept; else they are 2^(bits-1), which MatMulNBits takes them for."""

    def blocks(self, columns: int) -> int:
        """Blocks of a row; the last is filled up with zeros."""
        return ceil(columns / self.block_size)

    def shapes(self, shape: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Part of a rounded matrix to its shape."""
        rows, columns = shape
        blocks = self.blocks(columns)
        shapes: dict[str, tuple[int, ...]] = {
            "weights": (rows, blocks, self.block_size * self.bits // 8),
            "scales": (rows, blocks),
        }
        if self.keeps_zero_points:
            shapes["zero_points"] = (rows, ceil(blocks * self.bits / 8))
        return shapes

    def types(self) -> dict[str, Any]:
        """Part of a rounded matrix to its type."""
        return {"weights": np.uint8, "scales": self.scale_type, "zero_points": np.uint8}


def rounded(read: ReadRows, shape: tuple[int, int], form: Form) -> dict[str, Array]:
    """The parts of a rounded matrix, made some rows at a time.

    Args:
        read: gives rows of it; called from several threads.
        shape: outputs (N) and inputs (K) of the product.
        form: how to round.
    """
    rows, columns = shape
    types = form.types()
    parts = {name: np.empty(size, types[name]) for name, size in form.shapes(shape).items()}
    at_a_time = max(1, BLOCKS_AT_A_TIME // form.blocks(columns))

    def fill(start: int) -> None:
        end = min(start + at_a_time, rows)
        for name, values in _packed(read(start, end), form).items():
            parts[name][start:end] = values

    _in_threads(fill, range(0, rows, at_a_time))
    return parts


def restored(read: ReadRows, shape: tuple[int, int], form: Form) -> Array:
    """A matrix as its rounded form says it, float32 [rows, columns]; arguments as of `rounded`."""
    rows, columns = shape
    values = np.empty(shape, np.float32)
    at_a_time = max(1, BLOCKS_AT_A_TIME // form.blocks(columns))

    def fill(start: int) -> None:
        end = min(start + at_a_time, rows)
        levels, scales, zero_points = form.rounding(_in_columns(read(start, end), form), form.bits, form.scale_type)
        blocks = (levels.astype(np.float32) - zero_points) * scales.astype(np.float32)
        values[start:end] = blocks.T.reshape(end - start, -1)[:, :columns]

    _in_threads(fill, range(0, rows, at_a_time))
    return values


def _in_threads(fill: Callable[[int], None], starts: range) -> None:
    with ThreadPoolExecutor(min(MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        list(pool.map(fill, starts))


def _in_columns(rows: Array, form: Form) -> Array:
    """Some rows' blocks, each a column."""
    columns = rows.shape[1]
    filled = np.pad(rows, ((0, 0), (0, form.blocks(columns) * form.block_size - columns)))
    return np.ascontiguousarray(filled.reshape(-1, form.block_size).T)


def _packed(rows: Array, form: Form) -> dict[str, Array]:
    """Some rows, rounded and packed."""
    count, columns = rows.shape
    blocks = form.blocks(columns)
    levels, scales, zero_points = form.rounding(_in_columns(rows, form), form.bits, form.scale_type)
    parts = {
        "weights": _bytes(levels.T, form.bits).reshape(count, blocks, -1),
        "scales": scales.reshape(count, blocks),
    }
    if form.keeps_zero_points:
        parts["zero_points"] = _bytes(zero_points.reshape(count, blocks), form.bits)
    return parts


def _bytes(levels: Array, bits: int) -> Array:
    """Levels in as few bytes as a row of them takes: of two, the first is the low half of a byte."""
    if bits != NIBBLE:
        return levels
    if levels.shape[1] % 2:
        levels = np.pad(levels, ((0, 0), (0, 1)))
    packed: Array = levels[:, ::2] | levels[:, 1::2] << NIBBLE
    return packed
