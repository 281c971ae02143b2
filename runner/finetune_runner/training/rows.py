"""The rows of a tuning pass on disk, and how they are collated."""

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_api.resource.passes import Tuning
from finetune_runner.data.statistics import Statistics
from finetune_runner.data.tuning_rows import tuning_rows
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, DataSet, PassInputs, Tokens
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.token_store import TokenStore

log = logging.getLogger(__name__)

PACKING = "packing"
TRAIN, HELD_OUT, STATISTICS = "train", "held-out", "statistics.json"
WORTH_KEEPING_SECONDS = 5.0
"""Tokens that took longer to make are kept: fetching is faster, and a sweep needs the same ones again and again."""


@dataclass(frozen=True)
class TrainingRows:
    train: TokenStore
    held_out: TokenStore
    statistics: Statistics
    """Of the training rows."""


def training_rows(config: Tuning, inputs: PassInputs, tokenizer: Any, scratch: Path) -> TrainingRows:
    """Training and held-out rows as tokens on disk: those that an earlier pass kept, or made now.

    Args:
        config: of the pass.
        inputs: with the data, and where tokens are kept.
        tokenizer: of transformers.
        scratch: a directory for the tokens.

    Raises:
        FineTuneError: DatasetInvalid; StoreUnavailable and AuthDenied of where tokens are kept.
    """
    folder = scratch / "tokens"
    folder.mkdir()
    if inputs.tokens and inputs.tokens.restore(folder):
        log.info("the rows' tokens are those of an earlier pass")
        rows = _opened(folder, inputs)
        _check_held_out(rows.held_out, config, inputs)
        return rows
    begin = time.monotonic()
    rows = _made(config, inputs, tokenizer, folder)
    if inputs.tokens and time.monotonic() - begin > WORTH_KEEPING_SECONDS:
        _keep(inputs.tokens, folder)
    return rows


def collator(preprocess: Preprocess, pad: int) -> PadToLongest:
    """What makes batches of the rows."""
    return PadToLongest(
        pad,
        least=preprocess.max_seq_len if preprocess.pad_to_max_len else 0,
        left=preprocess.padding_side == "left",
        masked=preprocess.use_attention_mask,
    )


def _keep(tokens: Tokens, folder: Path) -> None:
    """A failure is a warning: the next pass makes them anew."""
    try:
        tokens.save(folder)
    except FineTuneError as error:
        log.warning("the rows' tokens are not kept: %s", error)


def _made(config: Tuning, inputs: PassInputs, tokenizer: Any, folder: Path) -> TrainingRows:
    made = tuning_rows(config, inputs.data, tokenizer, inputs.path)
    train_packed, kept_packed = _packed(inputs)
    trained = TokenStore.write(folder / TRAIN, made.train, packed=train_packed)
    _check(trained, inputs.data[TRAIN_DATA], f"{inputs.path}.trainData")
    kept = TokenStore.write(folder / HELD_OUT, made.held_out, packed=kept_packed)
    _check_held_out(kept, config, inputs)
    (folder / STATISTICS).write_text(json.dumps(asdict(made.statistics)))
    return TrainingRows(trained, kept, made.statistics)


def _opened(folder: Path, inputs: PassInputs) -> TrainingRows:
    train_packed, kept_packed = _packed(inputs)
    return TrainingRows(
        train=TokenStore(folder / TRAIN, packed=train_packed),
        held_out=TokenStore(folder / HELD_OUT, packed=kept_packed),
        statistics=Statistics(**json.loads((folder / STATISTICS).read_bytes())),
    )


def _packed(inputs: PassInputs) -> tuple[bool, bool]:
    """Whether training and held-out rows are packed."""
    train = inputs.data[TRAIN_DATA]
    held_out = inputs.data.get(EVAL_DATA, train)
    return train.config.preprocess.strategy == PACKING, held_out.config.preprocess.strategy == PACKING


def _check_held_out(kept: TokenStore, config: Tuning, inputs: PassInputs) -> None:
    """That there is something to evaluate on, where the spec asks for it."""
    ways = {"evalData": config.eval_data, "evalRows": config.eval_rows, "evalFraction": config.eval_fraction}
    for field in (field for field, given in ways.items() if given):
        data = inputs.data.get(EVAL_DATA, inputs.data[TRAIN_DATA])
        _check(kept, data, f"{inputs.path}.{field}", kind="held-out ")


def _check(rows: TokenStore, data: DataSet, path: str, *, kind: str = "") -> None:
    """That there are rows.

    Args:
        rows: what was made of the data.
        data: training or held-out rows.
        path: of the field that asks for them.
        kind: of the rows, for people.

    Raises:
        FineTuneError: DatasetInvalid.
    """
    if len(rows):
        return
    name, preprocess = data.config.name, data.config.preprocess
    if preprocess.drop_short_sequences:
        message = f"every {kind}sequence of {name!r} is shorter than maxSeqLen, and short ones are dropped"
        remedy = f"Lower maxSeqLen,{' hold out more rows,' if kind else ''} or leave dropShortSequences out."
    else:
        message, remedy = f"data config {name!r} has no {kind}rows", "Put rows into it."
    raise FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=path)
