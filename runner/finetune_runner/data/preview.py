"""What a model would be trained on, to look at: text, what of it counts, and how much there is. No torch needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from finetune_api.resource.data import DataConfig
from finetune_runner.data.examples import distinct
from finetune_runner.data.file_tokenizer import FileTokenizer
from finetune_runner.data.rendering import Row, render, sequences
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.statistics import Statistics


@dataclass(frozen=True)
class Sample:
    """A training sequence."""

    pieces: list[tuple[str, bool]]
    """Its text in parts, special tokens included, each with whether it counts for the loss."""
    tokens: int


@dataclass(frozen=True)
class Preview:
    samples: list[Sample]
    statistics: Statistics


def preview(rows: Iterable[Row], data_config: DataConfig, tokenizer_dir: Path, limit: int) -> Preview:
    """The first training sequences of a data config, and the statistics of all.

    Args:
        rows: column to value.
        data_config: how they become sequences.
        tokenizer_dir: with tokenizer.json and tokenizer_config.json.
        limit: how many sequences are shown.

    Raises:
        FineTuneError: DatasetInvalid, InvalidSpec or ModelUnsupported.
    """
    tokenizer, statistics = FileTokenizer(tokenizer_dir), Statistics()
    preprocess = data_config.preprocess
    path = f"spec.dataConfigs[{data_config.name}].preprocess"
    examples = distinct(render(statistics.count_rows(rows), preprocess, tokenizer, path))
    made = sequences(lambda: statistics.count_distinct(examples), preprocess, tokenizer, statistics)
    samples = [_sample(sequence, tokenizer) for sequence in islice(made, limit)]
    for _ in made:
        pass
    return Preview(samples, statistics)


def _sample(sequence: TokenSequence, tokenizer: FileTokenizer) -> Sample:
    """Neighbouring tokens that count alike are decoded together, so that characters of several tokens stay whole."""
    tokens = zip(sequence.ids, sequence.counts, strict=True)
    pieces = [
        (tokenizer.decode([token for token, _ in group]), counted)
        for counted, group in groupby(tokens, key=lambda token: token[1])
    ]
    return Sample(pieces, len(sequence.ids))
