"""What an adapter makes of one layer's weight: peft's own merge, of a model that has no other layer."""

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict
from torch import nn

from finetune_runner.passes.merging.another_base import another_base
from finetune_runner.passes.merging.tensor_file import Stored


def merged_weight(
    name: str, layer: nn.Module, weight: torch.Tensor, adapter: Mapping[str, Stored], config: PeftConfig
) -> torch.Tensor:
    """The weight as the adapter changes it, in float32 and not rounded.

    Args:
        name: the layer's full name, by which peft finds its rank.
        layer: a layer of that kind and size, without weights.
        weight: the base's; it is used up, since one in float32 is added to in place.
        adapter: the layer's tensors, by their names in the adapter's file.
        config: the adapter's.

    Raises:
        FineTuneError: ModelUnsupported, the tensors have other shapes than the layer's.
        ValueError: the result is not finite, or the tensors are not what the config says.
    """
    model = _with_only(name, layer, weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that are about other layers
        inject_adapter_in_model(_for_layer(config, name), model, low_cpu_mem_usage=True)
    tensors = {key: tensor.read().float() for key, tensor in adapter.items()}
    try:
        loaded = set_peft_model_state_dict(model, tensors, low_cpu_mem_usage=True)
    except RuntimeError as error:  # size mismatch
        raise another_base(f"its weights of {name} have other shapes") from error
    lacking = [key for key in loaded.missing_keys if "base_layer" not in key]
    if lacking or loaded.unexpected_keys:
        msg = f"the adapter's weights of {name} are not what its config says: {[*lacking, *loaded.unexpected_keys]}"
        raise ValueError(msg)
    tuned: Any = model.get_submodule(name)
    with torch.no_grad():
        tuned.merge()
    merged: torch.Tensor = tuned.get_base_layer().weight.data
    if not torch.isfinite(merged).all():
        msg = f"merging the adapter makes {name} not finite"
        raise ValueError(msg)
    return merged


def _with_only(name: str, layer: nn.Module, weight: torch.Tensor) -> nn.Module:
    """A model with a layer of that name and weight, in float32. A bias plays no part, and is left out."""
    alone = copy.deepcopy(layer)
    alone.weight = nn.Parameter(weight.float(), requires_grad=False)
    alone.register_parameter("bias", None)
    root = parent = nn.Module()
    *path, last = name.split(".")
    for part in path:
        child = nn.Module()
        parent.add_module(part, child)
        parent = child
    parent.add_module(last, alone)
    return root


def _for_layer(config: PeftConfig, name: str) -> PeftConfig:
    alone: Any = copy.deepcopy(config)
    alone.target_modules = {name}
    alone.exclude_modules = alone.layers_to_transform = alone.layers_pattern = alone.modules_to_save = None
    alone.trainable_token_indices = None
    alone.inference_mode = True
    return alone
