"""The largest batch that given sequences can make. Pure."""

from collections.abc import Sequence

from finetune_runner.memory.estimate import Batch

MASK_BYTES = 3
"""Of a pair of tokens: a bool, and what PyTorch's kernels make of it."""


def largest(
    lengths: Sequence[int], counted: Sequence[int], rows: int, *, least: int = 0, packed: bool = False
) -> Batch:
    """A batch of the longest sequences, padded to one length, and of those with the most tokens that count.

    Args:
        lengths: of the sequences, in tokens.
        counted: tokens of each that count for the loss.
        rows: sequences in the batch, if there are so many.
        least: length that shorter ones are padded to.
        packed: whether a mask keeps rows within a sequence apart.
    """
    rows = min(rows, len(lengths))
    longest = max(least, *lengths)
    masked = packed or (rows > 1 and longest > min(lengths))
    return Batch(
        tokens=rows * longest,
        counted=sum(sorted(counted)[-rows:]),
        masked=MASK_BYTES * rows * longest**2 if masked else 0,
    )
