"""What autograd keeps of a forward pass for the backward pass."""

import contextlib
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from finetune_api.resource.passes import LoftQ, QLora, Tuning
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.tune import quantization
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.loss import token_losses


def saved_bytes(
    config: dict[str, Any],
    tuning: Tuning,
    dtype: torch.dtype,
    *,
    sequences: int,
    length: int,
    counted: int,
    folder: Path,
) -> int:
    """Bytes of all tensors that are kept, each once, without the model's own.

    Args:
        config: a config.json.
        tuning: the pass.
        dtype: of the base; bfloat16 computes under autocast, as training does.
        sequences: in the batch.
        length: of each, in tokens.
        counted: tokens of each that count for the loss.
        folder: an empty one.
    """
    model = with_adapter(_base(config, tuning, dtype, folder), tuning, "spec").train()
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    ids = torch.randint(1, config["vocab_size"], (sequences, length))
    labels = ids.clone()
    labels[:, : length - counted] = -100
    autocast = torch.autocast("cpu", dtype) if dtype is torch.bfloat16 else contextlib.nullcontext()
    with autocast, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_losses(model, input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)
    return sum(storage.nbytes() for storage in kept.values())


def _base(config: dict[str, Any], tuning: Tuning, dtype: torch.dtype, folder: Path) -> Any:
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=dtype)
    if not isinstance(tuning, (QLora, LoftQ)):
        return model
    model.save_pretrained(folder)
    return load_model(
        folder, dtype=dtype, device="cpu", trust_remote_code=False, quantization=quantization(tuning, dtype)
    )
