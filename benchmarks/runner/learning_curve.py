"""Draws how the loss on held-out rows falls, one line for each side of a comparison."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def draw(losses: Mapping[str, Sequence[Mapping[str, float]]], file: Path) -> None:
    """Medians over the seeds as lines, with all that the seeds lie between as bands.

    Args:
        losses: side to what each of its seeds had: step to loss, in nats a token.
        file: an SVG file.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel="optimizer steps", ylabel="loss on held-out answers, nats a token", yscale="log")
    for side, seeds in losses.items():
        steps = sorted(set.intersection(*(set(seed) for seed in seeds)), key=int) if seeds else []
        if steps:
            places, found = [int(step) for step in steps], [[seed[step] for seed in seeds] for step in steps]
            (line,) = axes.plot(places, [statistics.median(its) for its in found], marker="o", label=side)
            band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
            axes.fill_between(places, [min(its) for its in found], [max(its) for its in found], **band)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
