"""How a pass is made to fit: with or without gradient checkpointing, and how many sequences at once. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finetune_api.resource.passes import Tuning
from finetune_runner.memory.estimate import Batch, Estimate, estimate
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import Values

MARGIN = 0.9
"""Share of the memory that is planned with: the estimate is within 15 % of the peak, and an allocator wastes some."""


@dataclass(frozen=True)
class Choice:
    checkpointing: bool
    micro_batch: int
    """Sequences at once."""
    predicted: Estimate
    fits: bool


def chosen(
    shapes: Shapes, config: Tuning, batch_of: Callable[[int], Batch], values: Values, room: int | None
) -> Choice:
    """The fastest way that fits: without checkpointing, with it, then with ever fewer sequences at once.

    Args:
        shapes: of the base model.
        config: of the pass; training.gradientCheckpointing is obeyed where it is said.
        batch_of: a micro-batch's number of sequences to the largest batch of that many.
        values: how they are kept.
        room: bytes that the pass can have; None where it is not known: then whatever is asked for fits.

    Returns:
        The choice; where nothing fits, the one that takes the least.
    """
    for size, checkpointing in _ways(config):
        found = estimate(shapes, config, batch_of(size), values, checkpointing=checkpointing)
        fits = room is None or found.total <= room * MARGIN
        choice = Choice(checkpointing=checkpointing, micro_batch=size, predicted=found, fits=fits)
        if fits:
            break
    return choice


def _ways(config: Tuning) -> Iterator[tuple[int, bool]]:
    said, size = config.training.gradient_checkpointing, config.training.per_device_train_batch_size
    if said is None:
        yield size, False
    while size:
        yield size, said is not False
        size //= 2
