"""Encoded examples become batches, padded to their own longest."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from finetune_runner.data.tokens import IGNORED, Encoded
from finetune_runner.training.token_store import Item, TokenStore

Batch = dict[str, torch.Tensor]


def items(encoded: Sequence[Encoded]) -> list[Item]:
    """What a data loader hands to the collator."""
    return [{"input_ids": example.ids, "labels": example.labels} for example in encoded]


class PadToLongest:
    """Collates items into a batch as long as its longest sequence."""

    def __init__(self, pad: int, *, least: int = 0, left: bool = False, masked: bool = True) -> None:
        """How batches are padded.

        Args:
            pad: id of the padding token.
            least: length of a batch whose sequences are all shorter.
            left: pad in front.
            masked: whether attention is kept from padding.
        """
        self.pad = pad
        self.least = least
        self.left = left
        self.masked = masked

    def __call__(self, batch: Sequence[Item]) -> Batch:
        """Tensors of shape [batch, longest]: input_ids, attention_mask (1 at tokens), labels (IGNORED at padding).

        Packed items have position_ids too; padding counts from 0 there, as a row of its own.
        """
        longest = max(self.least, *(len(item["input_ids"]) for item in batch))
        made = {
            "input_ids": self._padded([item["input_ids"] for item in batch], self.pad, longest),
            "attention_mask": self._padded(
                [[1] * len(item["input_ids"]) for item in batch], 0 if self.masked else 1, longest
            ),
            "labels": self._padded([item["labels"] for item in batch], IGNORED, longest),
        }
        if "position_ids" in batch[0]:
            rows = [item["position_ids"] for item in batch]
            made["position_ids"] = torch.tensor([[*row, *range(longest - len(row))] for row in rows])
        return made

    def _padded(self, rows: list[list[int]], value: int, length: int) -> torch.Tensor:
        fill = [[value] * (length - len(row)) for row in rows]
        return torch.tensor([f + row if self.left else row + f for row, f in zip(rows, fill, strict=True)])


class EpochOrder(Sampler[int]):
    """An order of the data that seed and epoch alone decide, so that training can go on in the middle of any epoch."""

    def __init__(self, draw: Callable[[torch.Generator], list[int]], size: int, seed: int) -> None:
        """An order.

        Args:
            draw: a permutation of the indices.
            size: of the data.
            seed: of the first epoch's.
        """
        self.draw = draw
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes next; Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(self.draw(torch.Generator().manual_seed(self.seed + self.epoch)))


def by_length(batch_size: int, dataset: Sequence[Item], seed: int) -> EpochOrder:
    """Random order with sequences of like length side by side, so that little of a batch is padding."""
    lengths = dataset.lengths if isinstance(dataset, TokenStore) else [len(item["input_ids"]) for item in dataset]
    return EpochOrder(lambda g: get_length_grouped_indices(lengths, batch_size, generator=g), len(dataset), seed)


def shuffled(dataset: Sequence[Item], seed: int) -> EpochOrder:
    """Random order."""
    size = len(dataset)
    return EpochOrder(lambda g: torch.randperm(size, generator=g).tolist(), size, seed)


def in_batches(dataset: Sequence[Item], batch_size: int, collate: PadToLongest) -> Iterator[Batch]:
    """The items in order, a batch at a time."""
    for start in range(0, len(dataset), batch_size):
        yield collate(dataset[start : start + batch_size])
