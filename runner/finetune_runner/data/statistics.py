"""How much there is to train on. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.tokens import Encoded

T = TypeVar("T")


@dataclass
class Statistics:
    """Counts, filled while rows go through."""

    rows: int = 0
    """Usable ones, duplicates included."""
    bad_rows: int = 0
    """Left out, since they can't be used."""
    distinct: int = 0
    """Those that are left when duplicates and held-out ones are gone."""
    held_out: int = 0
    """Distinct rows that evalFraction keeps out of training."""
    sequences: int = 0
    tokens: int = 0
    counted_tokens: int = 0
    """Those that count for the loss."""
    truncated: int = 0
    """Rows that lost tokens to maxSeqLen."""

    @property
    def duplicates(self) -> int:
        """Rows whose text another one has too."""
        return self.rows - self.distinct - self.held_out

    def count_rows(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self.rows += 1
            yield item

    def count_distinct(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self.distinct += 1
            yield item

    def count_held_out(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self.held_out += 1
            yield item

    def count_truncated(self, items: Iterable[Encoded]) -> Iterator[Encoded]:
        for item in items:
            self.truncated += item.truncated
            yield item

    def count_sequences(self, items: Iterable[TokenSequence]) -> Iterator[TokenSequence]:
        for item in items:
            self.sequences += 1
            self.tokens += len(item.ids)
            self.counted_tokens += sum(item.counts)
            yield item
