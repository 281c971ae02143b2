"""mergeBase: auto: an adapter is merged both ways, and the way is kept that loses less once its weights are rounded.

Where their losses differ by no more than they would by chance, it is the base as the adapter saw it: that is the model
that was trained.
"""

import logging
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
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
CHANCE = 2
"""Standard errors of a difference from where on it is none of chance (in about 95 of 100 cases)."""
FIGURES = {ORIGINAL: "lossOriginal", DEQUANTISED: "lossDequantised"}

Merge = Callable[[Path, AsSeen | None, Report], None]
"""Merges into a directory, into the base as seen or (None) as it is."""


@dataclass(frozen=True)
class HeldOut:
    """The rows that decide."""

    rows: TokenStore
    collate: Any


@dataclass(frozen=True)
class Losses:
    """A model's loss on the rows that decide."""

    totals: Sequence[float]
    """Of each batch, in nats."""
    tokens: Sequence[int]
    """Of each batch, those that count."""

    @property
    def mean(self) -> float:
        """In nats a token."""
        return sum(self.totals) / sum(self.tokens)


def merge_the_better_way(
    merge: Merge, inputs: PassInputs, as_seen: AsSeen, report: Report, *, tuned: QLora, export: Export
) -> dict[str, str]:
    """Merges both ways beside the output, and moves there what loses less once rounded.

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
            losses[name] = _losses(model, held_out, _share(report, 2 * number + 1))
            del model  # before the next one is loaded
            log.info("merged into the %s base and rounded: loss %.4f", name, losses[name].mean)
        chosen = better(losses[ORIGINAL], losses[DEQUANTISED], inputs.path)
        for file in (Path(scratch) / chosen).iterdir():
            shutil.move(file, inputs.output / file.name)
    return {FIGURES[name]: f"{loss.mean:.4f}" for name, loss in losses.items()} | {CHOSEN: chosen}


def better(original: Losses, dequantised: Losses, path: str) -> str:
    """Which of two models of the same rows has the lower loss; of two that are alike, as far as so many rows can tell,
    the dequantised. A loss that is no number is never the lower.

    Raises:
        FineTuneError: NaNLoss, neither is a number.
    """
    if not math.isfinite(original.mean) and not math.isfinite(dequantised.mean):
        raise FineTuneError(
            Reason.NAN_LOSS,
            "merged into either base and rounded, the model's loss is no number",
            remedy="Evaluate the adapter: it was trained too far, or the base does not fit it.",
            path=f"{path}.mergeBase",
        )
    if not math.isfinite(dequantised.mean):
        return ORIGINAL
    return (
        ORIGINAL if dequantised.mean - original.mean > CHANCE * _standard_error(dequantised, original) else DEQUANTISED
    )


def _standard_error(one: Losses, other: Losses) -> float:
    """That of the difference of two means over the same batches; infinite of a single batch.

    It is that of a ratio, since batches differ in their tokens (Cochran 1977, Sampling Techniques, section 2.11).
    """
    batches = len(one.totals)
    if batches == 1:
        return math.inf
    differences = [mine - its for mine, its in zip(one.totals, other.totals, strict=True)]
    mean = sum(differences) / sum(one.tokens)
    left = sum((found - mean * tokens) ** 2 for found, tokens in zip(differences, one.tokens, strict=True))
    return math.sqrt(left * batches / (batches - 1)) / sum(one.tokens)


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
def _losses(model: Any, held_out: HeldOut, report: Report) -> Losses:
    totals, counts = [], []
    for number, batch in enumerate(in_batches(held_out.rows, BATCH, held_out.collate)):
        losses = token_losses(model, **{name: tensor.to(model.device) for name, tensor in batch.items()})
        totals.append(losses.double().sum().item())
        counts.append(int((batch["labels"][:, 1:] != IGNORED).sum()))
        report(step=min(BATCH * (number + 1), len(held_out.rows)), total_steps=len(held_out.rows))
    return Losses(totals, counts)
