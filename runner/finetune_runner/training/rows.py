"""The rows of a tuning pass: split, tokenised onto disk, and collated."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_api.resource.passes import Tuning
from finetune_runner.data.examples import Example, split_held_out
from finetune_runner.data.rendering import render, sequences
from finetune_runner.data.statistics import Statistics
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, DataSet, PassInputs
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.token_store import TokenStore

PACKING = "packing"


@dataclass(frozen=True)
class TrainingRows:
    train: TokenStore
    held_out: TokenStore
    statistics: Statistics
    """Of the training rows."""


def training_rows(config: Tuning, inputs: PassInputs, tokenizer: Any, scratch: Path) -> TrainingRows:
    """Training and held-out rows as tokens. A split leaves no duplicates; rows of evalData are taken as they are.

    Args:
        config: of the pass.
        inputs: with the data.
        tokenizer: of transformers.
        scratch: a directory for the tokens.

    Raises:
        FineTuneError: DatasetInvalid.
    """
    data, statistics = inputs.data[TRAIN_DATA], Statistics()
    train, held_out = _split(config, inputs, lambda: _examples(data, tokenizer))
    trained = _stored(scratch / "train", lambda: statistics.count_distinct(train), data, tokenizer, statistics)
    statistics.rows = sum(1 for _ in data.rows)
    _check(trained, data, inputs)
    if EVAL_DATA in inputs.data:
        data = inputs.data[EVAL_DATA]
        held_out = _examples(data, tokenizer)
    kept = _stored(scratch / "held-out", lambda: held_out, data, tokenizer, Statistics())
    return TrainingRows(trained, kept, statistics)


def collator(preprocess: Preprocess, pad: int) -> PadToLongest:
    """What makes batches of the rows."""
    return PadToLongest(
        pad,
        least=preprocess.max_seq_len if preprocess.pad_to_max_len else 0,
        left=preprocess.padding_side == "left",
        masked=preprocess.use_attention_mask,
    )


def _split(
    config: Tuning, inputs: PassInputs, examples: Callable[[], Iterable[Example]]
) -> tuple[Iterator[Example], Iterator[Example]]:
    try:
        return split_held_out(examples, config.eval_fraction, config.training.seed)
    except ValueError as error:
        raise FineTuneError(Reason.DATASET_INVALID, str(error), path=f"{inputs.path}.evalFraction") from error


def _examples(data: DataSet, tokenizer: Any) -> Iterator[Example]:
    return render(data.rows, data.config.preprocess, tokenizer, f"spec.dataConfigs[{data.config.name}].preprocess")


def _stored(
    file: Path, examples: Callable[[], Iterable[Example]], data: DataSet, tokenizer: Any, statistics: Statistics
) -> TokenStore:
    preprocess = data.config.preprocess
    made = sequences(examples, preprocess, tokenizer, statistics)
    return TokenStore(file, made, packed=preprocess.strategy == PACKING)


def _check(trained: TokenStore, data: DataSet, inputs: PassInputs) -> None:
    """That there is something to train on.

    Raises:
        FineTuneError: DatasetInvalid.
    """
    if len(trained):
        return
    name, preprocess = data.config.name, data.config.preprocess
    if preprocess.drop_short_sequences:
        message = f"every sequence of {name!r} is shorter than maxSeqLen, and short ones are dropped"
        remedy = "Lower maxSeqLen, or leave dropShortSequences out."
    else:
        message, remedy = f"data config {name!r} has no rows", "Put rows into it."
    raise FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=f"{inputs.path}.trainData")
