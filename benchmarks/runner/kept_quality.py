"""Draws what ways of making an int4 model lose: accuracy, and divergence from the tuned model."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure


class Lost(NamedTuple):
    """What one artifact lost."""

    points: float
    """Of accuracy, in percent of all rows; less than none where it gained."""
    kl: float
    """From the tuned model, in nats a token."""


def draw(ways: Mapping[str, Sequence[Lost]], file: Path) -> None:
    """Medians over the seeds as bars, and each seed as a dot.

    Args:
        ways: way to what each seed's artifact lost.
        file: an SVG file.
    """
    figure = Figure(figsize=(8, 1 + 0.45 * len(ways)), layout="constrained")
    accuracy, divergence = figure.subplots(ncols=2, sharey=True)
    accuracy.set(xlabel="points of accuracy lost")
    divergence.set(xlabel="KL divergence, nats a token", xscale="log")
    places = range(len(ways))
    for axes, field in ((accuracy, "points"), (divergence, "kl")):
        seeds = [[getattr(lost, field) for lost in its] for its in ways.values()]
        axes.barh(places, [statistics.median(its) for its in seeds], height=0.6, alpha=0.4)
        for place, its in zip(places, seeds, strict=True):
            axes.plot(its, [place] * len(its), "o", color="black", markersize=3)
        axes.grid(visible=True, axis="x", alpha=0.3)
    accuracy.axvline(0, color="black", linewidth=0.8)
    accuracy.set_yticks(places, ways)
    accuracy.invert_yaxis()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kept"}):  # text as text; no chance in names
        figure.savefig(file, metadata={"Date": None})
