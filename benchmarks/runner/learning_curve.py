"""Draws how the accuracy on held-out rows rises, one line for each side of a comparison."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def draw(accuracies: Mapping[str, Sequence[Mapping[str, float]]], file: Path) -> None:
    """Medians over the seeds as lines, with all that the seeds lie between as bands.

    Args:
        accuracies: side to what each of its seeds had: step to accuracy.
        file: an SVG file.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel="optimizer steps", ylabel="accuracy on held-out rows")
    for side, seeds in accuracies.items():
        steps = sorted(set.intersection(*(set(seed) for seed in seeds)), key=int) if seeds else []
        if steps:
            places, found = [int(step) for step in steps], [[seed[step] for seed in seeds] for step in steps]
            (line,) = axes.plot(places, [statistics.median(its) for its in found], marker="o", label=side)
            band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
            axes.fill_between(places, [min(its) for its in found], [max(its) for its in found], **band)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "curve"}):  # text as text; no chance in names
        figure.savefig(file, metadata={"Date": None})
