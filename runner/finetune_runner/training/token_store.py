"""Training sequences on disk, read as they are needed: a data set's tokens may be larger than memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.tokens import labels_of

Item = dict[str, list[int]]
IDS, FLAGS, ENDS, COUNTED = ".ids", ".flags", ".ends", ".counted"
"""Suffixes of its files: int32 and uint8 a token, two int64 a sequence, as this machine has them."""
COUNTS, STARTS = 1, 2
"""Flags of a token: it counts for the loss; a row begins with it that must not see the one before."""


class TokenStore(Sequence[Item]):
    """A sequence of items. In memory are only the sequences' offsets."""

    def __init__(self, file: Path, *, packed: bool) -> None:
        """Opens what `write` has written.

        Args:
            file: where, without suffix.
            packed: whether items get position_ids.
        """
        self.packed = packed
        self._ends = array("q", file.with_suffix(ENDS).read_bytes())
        self.counted = array("q", file.with_suffix(COUNTED).read_bytes())
        """Tokens of each sequence that count for the loss."""
        empty = self._ends[-1] == 0  # which can't be mapped
        self._ids = np.empty(0, np.int32) if empty else np.memmap(file.with_suffix(IDS), np.int32, "r")
        self._flags = np.empty(0, np.uint8) if empty else np.memmap(file.with_suffix(FLAGS), np.uint8, "r")

    @classmethod
    def write(cls, file: Path, sequences: Iterable[TokenSequence], *, packed: bool) -> "TokenStore":
        """Writes sequences, which are gone through once; arguments as of the constructor."""
        ends, counted = array("q", [0]), array("q")
        with file.with_suffix(IDS).open("wb") as ids, file.with_suffix(FLAGS).open("wb") as flags:
            for sequence in sequences:
                ids.write(np.asarray(sequence.ids, dtype=np.int32).tobytes())
                flags.write(_flags(sequence))
                counted.append(sum(sequence.counts))
                ends.append(ends[-1] + len(sequence.ids))
        file.with_suffix(ENDS).write_bytes(ends.tobytes())
        file.with_suffix(COUNTED).write_bytes(counted.tobytes())
        return cls(file, packed=packed)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence."""
        return np.diff(np.asarray(self._ends)).tolist()  # type: ignore[no-any-return]

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self._item(at) for at in range(*index.indices(len(self)))]
        return self._item(range(len(self))[index])

    def __iter__(self) -> Iterator[Item]:
        return (self._item(at) for at in range(len(self)))

    def _item(self, at: int) -> Item:
        where = slice(self._ends[at], self._ends[at + 1])
        ids, flags = self._ids[where].tolist(), self._flags[where]
        item = {"input_ids": ids, "labels": labels_of(ids, (flags & COUNTS).astype(bool).tolist())}
        if self.packed:
            starts = tuple(np.flatnonzero(flags & STARTS).tolist())
            item["position_ids"] = TokenSequence(ids, (), starts).positions
        return item


def _flags(sequence: TokenSequence) -> bytes:
    flags = np.asarray(sequence.counts, dtype=np.uint8) * np.uint8(COUNTS)
    flags[list(sequence.starts)] |= STARTS
    return flags.tobytes()
