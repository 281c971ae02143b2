"""Confidence intervals of figures that are made from rows. Pure."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

RESAMPLES = 1000
SEED = 0
QUANTILES = (0.025, 0.975)
"""95 %."""


def interval(rows: Numbers, figure: Callable[[Numbers], Numbers]) -> tuple[float, float]:
    """The 95 % percentile interval of the bootstrap (Efron and Tibshirani 1993, chapter 13), seeded.

    It tells what other rows of the same kind would have given. With few rows it is too narrow, and where every row is
    right it has no width.

    Args:
        rows: [rows, columns].
        figure: from sums of columns over rows, […, columns], to the figure, […].
    """
    generator = np.random.default_rng(SEED)
    count = len(rows)
    drawn = (np.bincount(generator.integers(count, size=count), minlength=count) for _ in range(RESAMPLES))
    low, high = np.quantile(figure(np.stack([times @ rows for times in drawn])), QUANTILES)
    return float(low), float(high)
