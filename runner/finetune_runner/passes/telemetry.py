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
class PeakMemory:
    """Bytes that were held at most."""

    host: int
    """Resident memory of the process, since it began."""
    accelerator: int | None = None
    """In tensors, since the pass began; None without an accelerator."""
    reserved: int | None = None
    """The same with what PyTorch keeps for further tensors."""


@dataclass(frozen=True)
class Telemetry:
    """Figures of a training loop; None: not known."""

    learning_rate: float | None = None
    gradient_norm: float | None = None
    """L2 norm over all trained parameters, before clipping."""
    padding: float | None = None
    """Share of the batches' positions that hold no token, from 0 to 1."""
    step: StepSeconds | None = None
    memory: PeakMemory | None = None
    utilisation: float | None = None
    """Model FLOPs utilisation, from 0 to 1: operations that the model is defined by, to what the device can do."""
