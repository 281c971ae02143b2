"""The largest batches that given sequences can make. Pure."""

import heapq
from collections.abc import Callable, Sequence

from finetune_runner.memory.estimate import Batch

MASK_BYTES = 3
"""Of a pair of tokens: a bool, and what PyTorch's kernels make of it."""


def largest_of(
    lengths: Sequence[int], counted: Sequence[int], most: int, *, least: int = 0, packed: bool = False
) -> Callable[[int], Batch]:
    """Gives, for a number of sequences, a batch of the longest and of those with the most tokens that count.

    Goes through the sequences once; there may be millions.

    Args:
        lengths: of the sequences, in tokens.
        counted: tokens of each that count for the loss.
        most: sequences in a batch that will be asked for.
        least: length that shorter ones are padded to.
        packed: whether a mask keeps rows within a sequence apart.
    """
    shortest, longest = min(lengths), max(lengths)
    padded = max(least, longest)
    most_counted = heapq.nlargest(most, counted)

    def largest(rows: int) -> Batch:
        rows = min(rows, len(lengths))
        masked = packed or (rows > 1 and padded > shortest)
        return Batch(
            tokens=rows * padded,
            counted=sum(most_counted[:rows]),
            masked=MASK_BYTES * rows * padded**2 if masked else 0,
            longest=padded,
        )

    return largest
