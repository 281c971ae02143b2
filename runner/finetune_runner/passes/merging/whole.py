"""Merging with the whole model in memory, by peft."""

from pathlib import Path
from typing import Any

import torch
from peft.tuners.trainable_tokens import TrainableTokensLayer
from peft.tuners.tuners_utils import BaseTunerLayer

from finetune_runner.passes.contract import Report
from finetune_runner.passes.devices import CPU
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.merging.as_seen import AsSeen
from finetune_runner.training.new_tokens import load_adapter

STORED = "auto"
"""The type the base's weights are stored in, which the merged model keeps."""


def merge_whole(
    base: Path, adapter: Path, output: Path, report: Report, as_seen: AsSeen | None, *, trust_remote_code: bool
) -> None:
    """Writes config.json, generation_config.json and the weights, as save_pretrained does.

    Args:
        base: a transformers directory.
        adapter: of any type that peft merges.
        output: where it is written.
        report: told how many layers are done.
        as_seen: what the adapter saw instead of the base; None: the base itself.
        trust_remote_code: run Python code that lies in the base.

    Raises:
        FineTuneError: ModelUnsupported or ArtifactCorrupt.
        ValueError: a merged weight is not finite.
    """
    model = load_model(base, dtype=STORED, device=CPU, trust_remote_code=trust_remote_code)
    if as_seen:
        for layer in as_seen.layers:
            weight = model.get_submodule(layer).weight
            weight.data = as_seen.weight(weight.data).to(weight.dtype)
    merged_model(load_adapter(model, adapter), report).save_pretrained(output)


def merged_model(model: Any, report: Report) -> Any:
    """The model with the weights as the adapter changes them (LoRA: W + B·A·alpha/r) and no adapter.

    Raises:
        ValueError: a merged weight is not finite.
    """
    layers = [
        module
        for module in model.modules()
        if isinstance(module, BaseTunerLayer) and not isinstance(module, TrainableTokensLayer)  # those are merged
    ]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            _merge_layer(layer)
            report(step=number, total_steps=len(layers))
    return model.merge_and_unload()


def _merge_layer(layer: Any) -> None:
    """Adds in float32 and rounds once: in bfloat16, the product would be rounded before the sum."""
    base = layer.get_base_layer()
    stored = base.weight.dtype
    base.weight.data = base.weight.data.float()
    layer.merge(safe_merge=True)
    base.weight.data = base.weight.data.to(stored)
