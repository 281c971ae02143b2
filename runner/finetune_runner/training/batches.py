"""Encoded examples become batches, padded to their own longest."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import RandomSampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from finetune_runner.data.tokens import IGNORED, Encoded

Item = dict[str, list[int]]
Batch = dict[str, torch.Tensor]


def items(encoded: Sequence[Encoded]) -> list[Item]:
    """What a data loader hands to the collator."""
    return [{"input_ids": example.ids, "labels": example.labels} for example in encoded]


class PadToLongest:
    """Collates items into a batch as long as its longest sequence, padded on the right."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, batch: Sequence[Item]) -> Batch:
        """Tensors of shape [batch, longest]: input_ids, attention_mask (1 at tokens), labels (IGNORED at padding)."""
        longest = max(len(item["input_ids"]) for item in batch)
        return {
            "input_ids": _padded([item["input_ids"] for item in batch], self.pad, longest),
            "attention_mask": _padded([[1] * len(item["input_ids"]) for item in batch], 0, longest),
            "labels": _padded([item["labels"] for item in batch], IGNORED, longest),
        }


def by_length(batch_size: int, dataset: Sequence[Item], seed: int) -> Any:
    """Random order with sequences of like length side by side, so that little of a batch is padding."""
    lengths = [len(item["input_ids"]) for item in dataset]
    return LengthGroupedSampler(batch_size, lengths=lengths, generator=torch.Generator().manual_seed(seed))


def shuffled(dataset: Sequence[Item], seed: int) -> Any:
    """Random order."""
    return RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))


def in_batches(dataset: Sequence[Item], batch_size: int, collate: PadToLongest) -> Iterator[Batch]:
    """The items in order, a batch at a time."""
    for start in range(0, len(dataset), batch_size):
        yield collate(dataset[start : start + batch_size])


def _padded(rows: list[list[int]], value: int, length: int) -> torch.Tensor:
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])
