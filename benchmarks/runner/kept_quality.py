"""Draws what ways of making an int4 model lose: accuracy, and divergence from the tuned model."""

import math
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
    """Each seed as a dot, and the median over them as a line.

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
        for place, its in zip(places, ways.values(), strict=True):
            found = [getattr(lost, field) for lost in its]
            axes.plot(found, [place] * len(found), "o", color="black", markersize=4, alpha=0.7)
            axes.plot([statistics.median(found)], [place], "|", color="tab:blue", markersize=20, markeredgewidth=3)
        axes.grid(visible=True, axis="x", alpha=0.3)
    decades = [math.log10(lost.kl) for its in ways.values() for lost in its]
    divergence.set_xlim(10 ** math.floor(min(decades)), 10 ** math.ceil(max(decades)))
    accuracy.axvline(0, color="black", linewidth=0.8)
    accuracy.set_yticks(places, ways)
    accuracy.set_ylim(len(ways) - 0.5, -0.5)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kept"}):  # text as text; no chance in names
        figure.savefig(file, metadata={"Date": None})
