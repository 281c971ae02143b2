"""What a training loop tells of itself, besides its step, loss and pace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepSeconds:
    """Seconds of an optimizer step, by what they went into; medians over the latest steps."""

    data: float
    """Waiting for batches. Loading that goes on beside the device's work does not count."""
    forward: float
    """With the loss."""
    backward: float
    """With what activation checkpointing computes again."""
    optimizer: float
    """With gradient clipping."""


@dataclass(frozen=True)
class Telemetry:
    """Figures of a training loop; None: not known."""

    learning_rate: float | None = None
    gradient_norm: float | None = None
    """L2 norm over all trained parameters, before clipping."""
    padding: float | None = None
    """Share of the batches' positions that hold no token, from 0 to 1."""
    step: StepSeconds | None = None
