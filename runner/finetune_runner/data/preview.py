"""What a model would be trained on, to look at: text, what of it counts, and how much there is. No torch needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from finetune_api.resource.passes import Lora, Tuning
from finetune_runner.data.examples import distinct
from finetune_runner.data.new_tokens import add_new_tokens
from finetune_runner.data.rendering import render, sequences
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.statistics import Statistics
from finetune_runner.data.tokens import labels_of
from finetune_runner.data.tuning_rows import tuning_rows
from finetune_runner.passes.contract import DataSet

Piece = tuple[str, bool]
"""Text, special tokens included, and whether it counts for the loss."""


@dataclass(frozen=True)
class Sample:
    """A training sequence, with the labels that training sees."""

    ids: list[int]
    labels: list[int]
    rows: list[list[Piece]]
    """Its text. Packed rows, which don't see each other, stand by themselves; else there is one."""


@dataclass(frozen=True)
class Preview:
    samples: list[Sample]
    statistics: Statistics
    held_out: Statistics | None = None
    """Of a pass's held-out rows: sequences and tokens."""


def preview_pass(config: Tuning, data: Mapping[str, DataSet], tokenizer: Any, path: str, limit: int) -> Preview:
    """The first training sequences of a tuning pass, and the statistics of all.

    Args:
        config: of the pass.
        data: by role.
        tokenizer: of transformers, or a FileTokenizer.
        path: where the pass's config stands in the spec.
        limit: how many sequences are shown.

    Raises:
        FineTuneError: DatasetInvalid, InvalidSpec or ModelUnsupported.
    """
    if isinstance(config, Lora):
        add_new_tokens(tokenizer, config.new_tokens, f"{path}.newTokens")
    made = tuning_rows(config, data, tokenizer, path)
    samples = _first(made.train, tokenizer, limit)
    _exhaust(made.held_out)
    return Preview(samples, made.statistics, made.of_held_out)


def preview_data(data: DataSet, tokenizer: Any, limit: int) -> Preview:
    """The same of a data config by itself: nothing is held out.

    Args:
        data: rows, and how they become sequences.
        tokenizer: of transformers, or a FileTokenizer.
        limit: how many sequences are shown.

    Raises:
        FineTuneError: DatasetInvalid, InvalidSpec or ModelUnsupported.
    """
    preprocess, statistics = data.config.preprocess, Statistics()
    path = f"spec.dataConfigs[{data.config.name}].preprocess"
    examples = distinct(render(statistics.count_rows(data.rows), preprocess, tokenizer, path))
    made = sequences(lambda: statistics.count_distinct(examples), preprocess, tokenizer, statistics)
    samples = _first(made, tokenizer, limit)
    statistics.bad_rows = data.bad_rows
    return Preview(samples, statistics)


def _first(made: Iterator[TokenSequence], tokenizer: Any, limit: int) -> list[Sample]:
    """The first ones; the others are only counted."""
    samples = [_sample(sequence, tokenizer) for sequence in islice(made, limit)]
    _exhaust(made)
    return samples


def _exhaust(made: Iterator[TokenSequence]) -> None:
    for _ in made:
        pass


def _sample(sequence: TokenSequence, tokenizer: Any) -> Sample:
    ids, counts = list(sequence.ids), list(sequence.counts)
    ends = (*sequence.starts[1:], len(ids))
    rows = [_pieces(ids[a:b], counts[a:b], tokenizer) for a, b in zip(sequence.starts, ends, strict=True)]
    return Sample(ids, labels_of(ids, counts), rows)


def _pieces(ids: list[int], counts: list[bool], tokenizer: Any) -> list[Piece]:
    """Neighbouring tokens that count alike are decoded together, so that characters of several tokens stay whole."""
    tokens = zip(ids, counts, strict=True)
    return [
        (tokenizer.decode([token for token, _ in group]), counted)
        for counted, group in groupby(tokens, key=lambda token: token[1])
    ]
