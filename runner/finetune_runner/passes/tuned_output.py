"""What a tuning pass leaves: the adapter, training.json, and how its rows became text."""

import json
from dataclasses import asdict
from typing import Any

import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.prompt_file import write_prompt
from finetune_runner.data.statistics import Statistics
from finetune_runner.passes.contract import TRAIN_DATA, PassInputs
from finetune_runner.passes.model_files import carry_notices
from finetune_runner.training.adapter import save_adapter
from finetune_runner.training.loftq import Factors
from finetune_runner.training.telling import of_the_result


def save_tuned(
    model: Any,
    inputs: PassInputs,
    *,
    log: list[dict[str, Any]],
    figures: dict[str, str],
    statistics: Statistics,
    start: Factors | None,
) -> None:
    check_weights(model, inputs.path)
    save_adapter(model, inputs.output, start)
    carry_notices(inputs.source, inputs.output)
    write_prompt(inputs.output, inputs.data[TRAIN_DATA].config.preprocess)
    lines = [of_the_result(line) for line in log]
    counts = asdict(statistics) | {"duplicates": statistics.duplicates}
    report = {"figures": figures, "data": counts, "log": [line for line in lines if len(line) > len(("step", "epoch"))]}
    (inputs.output / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def check_weights(model: Any, path: str) -> None:
    """A last step can ruin the weights without a loss to tell of it."""
    if not all(bool(torch.isfinite(p).all()) for p in model.parameters() if p.requires_grad):
        remedy = "Lower training.learningRate or set training.maxGradNorm."
        raise FineTuneError(Reason.NAN_LOSS, "the adapter's weights are not finite", remedy=remedy, path=path)
