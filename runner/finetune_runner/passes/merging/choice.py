"""mergeBase: auto: an adapter is merged both ways, and the way is kept that loses less once its weights are rounded."""

import logging
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import Export
from finetune_api.resource.passes import DEQUANTISED, ORIGINAL, QLora
from finetune_runner.data.tokens import IGNORED
from finetune_runner.data.tuning_rows import tuning_rows
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, PassInputs, Report
from finetune_runner.passes.devices import AUTO, device_for, dtype_for
from finetune_runner.passes.loading import load_model, load_tokenizer
from finetune_runner.passes.merging.as_seen import AsSeen
from finetune_runner.passes.rounding.in_place import round_linear_layers
from finetune_runner.training.batches import in_batches
from finetune_runner.training.loss import token_losses
from finetune_runner.training.rows import PACKING, collator
from finetune_runner.training.token_store import TokenStore

log = logging.getLogger(__name__)

MOST_SEQUENCES = 256
"""Held-out sequences that are looked at: enough to tell the two apart, and bounded whatever the data."""
BATCH = 8
CHOSEN = "mergeBaseChosen"
FIGURES = {ORIGINAL: "lossOriginal", DEQUANTISED: "lossDequantised"}

Merge = Callable[[Path, AsSeen | None, Report], None]
"""Merges into a directory, into the base as seen or (None) as it is."""


@dataclass(frozen=True)
class HeldOut:
    """The rows that decide."""

    rows: TokenStore
    collate: Any


def merge_the_better_way(
    merge: Merge, inputs: PassInputs, as_seen: AsSeen, report: Report, *, tuned: QLora, export: Export
) -> dict[str, str]:
    """Merges both ways beside the output, and moves there what loses less once rounded; of equals the original.

    Disk: both models, while it lasts. Memory: one of them, as when it is evaluated.

    Args:
        merge: how.
        inputs: with the adapter, and the data of the pass that tuned it.
        as_seen: the base as the adapter saw it.
        report: told how far it is, in percent.
        tuned: the config of that pass.
        export: how the model is going to be rounded.

    Returns:
        Mean loss in nats a token of the rounded models, and the choice.

    Raises:
        FineTuneError: DatasetInvalid, ModelUnsupported, AcceleratorUnavailable, NaNLoss, or what the merge raises.
    """
    with tempfile.TemporaryDirectory(dir=inputs.output.parent) as scratch:
        held_out = _held_out(inputs, tuned, Path(scratch))
        losses = {}
        for number, (name, seen) in enumerate({ORIGINAL: None, DEQUANTISED: as_seen}.items()):
            folder = Path(scratch) / name
            folder.mkdir()
            merge(folder, seen, _share(report, 2 * number))
            model = _rounded(folder, export, inputs)
            losses[name] = _loss(model, held_out, _share(report, 2 * number + 1))
            del model  # before the next one is loaded
            log.info("merged into the %s base and rounded: loss %.4f", name, losses[name])
        chosen = least(losses, inputs.path)
        for file in (Path(scratch) / chosen).iterdir():
            shutil.move(file, inputs.output / file.name)
    return {FIGURES[name]: f"{loss:.4f}" for name, loss in losses.items()} | {CHOSEN: chosen}


def least(losses: Mapping[str, float], path: str) -> str:
    """The name of the smallest loss; one that is no number is none.

    Raises:
        FineTuneError: NaNLoss, none is a number.
    """
    finite = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
    if not finite:
        raise FineTuneError(
            Reason.NAN_LOSS,
            "merged into either base and rounded, the model's loss is no number",
            remedy="Evaluate the adapter: it was trained too far, or the base does not fit it.",
            path=f"{path}.mergeBase",
        )
    return min(finite, key=finite.__getitem__)


def _share(report: Report, quarter: int) -> Report:
    """A report on one of the four parts of the work."""

    def told(*, step: int, total_steps: int, **_: Any) -> None:
        report(step=25 * quarter + 25 * step // total_steps, total_steps=100)

    return told


def _held_out(inputs: PassInputs, tuned: QLora, scratch: Path) -> HeldOut:
    tokenizer = load_tokenizer(inputs.source, trust_remote_code=inputs.trust_remote_code)
    data = inputs.data.get(EVAL_DATA, inputs.data[TRAIN_DATA])
    sequences = tuning_rows(tuned, inputs.data, tokenizer, inputs.path).held_out
    preprocess = data.config.preprocess
    kept = list(islice(sequences, MOST_SEQUENCES))
    if not kept:
        raise FineTuneError(
            Reason.DATASET_INVALID,
            f"no row of {data.config.name!r} is held out, so there is nothing to compare the two bases by",
            remedy="Hold more rows out, or say mergeBase: original or dequantised.",
            path=f"{inputs.path}.mergeBase",
        )
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    rows = TokenStore.write(scratch / "held-out", kept, packed=preprocess.strategy == PACKING)
    return HeldOut(rows, collator(preprocess, int(pad)))


def _rounded(directory: Path, export: Export, inputs: PassInputs) -> Any:
    """A merged model, its linear layers rounded."""
    device = device_for(accelerator=inputs.accelerator)
    dtype = dtype_for(AUTO, device)
    model = load_model(directory, dtype=dtype, device=device, trust_remote_code=inputs.trust_remote_code).eval()
    round_linear_layers(model, export)
    return model


@torch.no_grad()
def _loss(model: Any, held_out: HeldOut, report: Report) -> float:
    """Mean loss in nats a token that counts."""
    total, tokens = 0.0, 0
    for number, batch in enumerate(in_batches(held_out.rows, BATCH, held_out.collate)):
        losses = token_losses(model, **{name: tensor.to(model.device) for name, tensor in batch.items()})
        total += losses.double().sum().item()
        tokens += int((batch["labels"][:, 1:] != IGNORED).sum())
        report(step=min(BATCH * (number + 1), len(held_out.rows)), total_steps=len(held_out.rows))
    return total / tokens
