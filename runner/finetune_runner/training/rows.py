"""The rows of a tuning pass on disk, and how they are collated."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_api.resource.passes import Tuning
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.data.statistics import Statistics
from finetune_runner.data.tuning_rows import tuning_rows
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
    """Training and held-out rows as tokens on disk.

    Args:
        config: of the pass.
        inputs: with the data.
        tokenizer: of transformers.
        scratch: a directory for the tokens.

    Raises:
        FineTuneError: DatasetInvalid.
    """
    made = tuning_rows(config, inputs.data, tokenizer, inputs.path)
    data = inputs.data[TRAIN_DATA]
    trained = _stored(scratch / "train", made.train, data)
    _check(trained, data, inputs)
    kept = _stored(scratch / "held-out", made.held_out, inputs.data.get(EVAL_DATA, data))
    return TrainingRows(trained, kept, made.statistics)


def collator(preprocess: Preprocess, pad: int) -> PadToLongest:
    """What makes batches of the rows."""
    return PadToLongest(
        pad,
        least=preprocess.max_seq_len if preprocess.pad_to_max_len else 0,
        left=preprocess.padding_side == "left",
        masked=preprocess.use_attention_mask,
    )


def _stored(file: Path, made: Iterable[TokenSequence], data: DataSet) -> TokenStore:
    return TokenStore(file, made, packed=data.config.preprocess.strategy == PACKING)


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
