"""What a metric comes to. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune_runner.passes.evaluation.bootstrap import Numbers, interval

SMALL = 1e-3


@dataclass(frozen=True)
class Figure:
    """A metric's value, its 95 % confidence interval where it is made from rows, and what else metrics.json tells."""

    value: float
    bounds: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def from_rows(rows: Numbers, figure: Callable[[Numbers], Numbers], **details: Any) -> Figure:
    """A figure of column sums, with its interval.

    Args:
        rows: [rows, columns].
        figure: from sums of columns over rows, […, columns], to the figure, […].
        details: what else is to be told.
    """
    return Figure(float(figure(rows.sum(axis=0))), interval(rows, figure), details)


def ratio(sums: Numbers) -> Numbers:
    """The first column to the second: the mean a row, or a token."""
    return np.divide(sums[..., 0], sums[..., 1])


def text_of(value: float) -> str:
    """A figure as it stands in status: whole numbers as they are, others with four decimals, small ones with four
    significant digits.
    """
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}" if 0 < abs(value) < SMALL else f"{value:.4f}"


def number_of(value: float) -> float | None:
    """A figure in JSON, which knows no infinity and nothing that is no number."""
    return value if math.isfinite(value) else None
