"""The adapter: which layers get one, and how it is made and saved."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftConfig, get_peft_model, get_peft_model_state_dict
from peft.utils import ModulesToSaveWrapper
from safetensors.torch import save_file
from torch import nn
from transformers.pytorch_utils import Conv1D

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.passes import Dora, LoKr, Lora, Lycoris, Tuning
from finetune_runner.module_names import called, in_four_bits, not_there
from finetune_runner.passes.model_files import ADAPTER_WEIGHTS
from finetune_runner.training.loftq import ADAPTER, Factors, as_change
from finetune_runner.training.new_tokens import make_room

ALL_LINEAR = "all-linear"
NEUTRAL_BASE = "base"
"""What adapter_config.json calls its base: any path would be one of a pod that is gone."""


def with_adapter(model: Any, config: Tuning, path: str, new_tokens: Sequence[int] = ()) -> Any:
    """The model with a fresh adapter, everything else frozen.

    Args:
        model: the base; is changed.
        config: of the spec.
        path: where it stands.
        new_tokens: ids of tokens that the base does not know.

    Raises:
        FineTuneError: InvalidSpec, a name matches no layer, or one in 4 bits is to be trained in full;
            ModelUnsupported, a layer can't have such an adapter.
    """
    tokens = make_room(model, new_tokens, f"{path}.newTokens")
    modules = _of_text(model)
    layers = _linear_layers(model, modules)
    _named(config.target_modules, layers, f"{path}.targetModules", "linear layer")
    whole = _outermost(_named(config.modules_to_save, modules, f"{path}.modulesToSave", "module"))
    _refuse_quantised(config.modules_to_save, modules, f"{path}.modulesToSave")
    if isinstance(config, Lycoris):
        _named(config.exclude_modules, layers, f"{path}.excludeModules", "linear layer")
    try:
        others = [name for name, module in model.named_modules() if name not in modules and _is_linear(module)]
        adapted = get_peft_model(model, adapter_config(config, layers, whole, tokens, others))
    except ValueError as error:
        remedy = "Check targetModules, excludeModules and layersToTransform, or use a lora pass."
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, str(error), remedy=remedy, path=path) from error
    if tokens:  # peft would compare the number of tokens with that there, and save all of the embedding in checkpoints
        adapted.peft_config[ADAPTER].base_model_name_or_path = ""
    _train_in_float32(adapted)
    return adapted


def adapter_config(
    config: Tuning,
    layers: Iterable[str],
    whole: Iterable[str],
    new_tokens: Mapping[str, list[int]],
    others: Sequence[str],
) -> PeftConfig:
    """What peft wants to know.

    Args:
        config: of the spec.
        layers: full names of the layers that can have an adapter.
        whole: full names of the modules trained in full; peft would take any whose name ends in a part of one.
        new_tokens: name of a module to its rows that are trained, of LoRA only.
        others: full names of linear layers that no text goes through.
    """
    common: dict[str, Any] = {
        "task_type": "CAUSAL_LM",
        "r": config.r,
        "target_modules": list(config.target_modules) or ALL_LINEAR,
        "modules_to_save": list(whole) or None,
        "exclude_modules": [*others, *(config.exclude_modules if isinstance(config, Lycoris) else ())] or None,
    }
    if isinstance(config, Lora):
        return LoraConfig(
            **common,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            use_rslora=config.use_rslora,
            use_dora=isinstance(config, Dora),
            trainable_token_indices=dict(new_tokens) or None,
        )
    if isinstance(config, Lycoris):
        return _lycoris_config(config, common, layers)
    raise TypeError(type(config))


def _lycoris_config(config: Lycoris, common: dict[str, Any], layers: Iterable[str]) -> PeftConfig:
    if config.layers_to_transform and not config.target_modules:  # which peft does not take together with all-linear
        common["target_modules"] = sorted({name.rpartition(".")[2] for name in layers if _in_block(name)})
    common |= {
        "alpha": config.alpha,
        "rank_dropout": config.rank_dropout,
        "module_dropout": config.module_dropout,
        "init_weights": config.init_weights,
        "layers_to_transform": list(config.layers_to_transform) or None,
        "layers_pattern": config.layers_pattern or None,
        "rank_pattern": dict(config.rank_pattern),
        "alpha_pattern": dict(config.alpha_pattern),
    }
    if isinstance(config, LoKr):
        return LoKrConfig(
            **common,
            decompose_both=config.decompose_both,
            decompose_factor=config.decompose_factor,
            rank_dropout_scale=config.rank_dropout_scale,
        )
    return LoHaConfig(**common)


def save_adapter(model: Any, directory: Path, start: Factors | None = None) -> None:
    """Writes adapter_config.json and adapter_model.safetensors, without a path of this pod in them.

    Args:
        model: with the trained adapter.
        directory: to write into.
        start: what loftq started from, which is subtracted.
    """
    config = model.peft_config[ADAPTER]
    weights = _as_stored(model, get_peft_model_state_dict(model, save_embedding_layers=False))
    if start is not None:
        weights = as_change({name: tensor.detach().cpu() for name, tensor in weights.items()}, start, config)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        directory / ADAPTER_WEIGHTS,
        metadata={"format": "pt"},
    )
    config.base_model_name_or_path = NEUTRAL_BASE
    config.inference_mode = True
    config.save_pretrained(directory)


def _of_text(model: Any) -> dict[str, Any]:
    """Modules by full name, without those that read images or sound: no row has any, so they would learn nothing."""
    parts = (model.get_decoder(), model.get_output_embeddings())
    inside = {module for part in parts if part is not None for module in part.modules()}
    return {name: module for name, module in model.named_modules() if module in inside}


def _linear_layers(model: Any, modules: Mapping[str, Any]) -> dict[str, Any]:
    """Full names of the layers that can have an adapter: all linear ones, without a head that is also the embedding."""
    head = model.get_output_embeddings() if model.config.tie_word_embeddings else None
    return {name: module for name, module in modules.items() if _is_linear(module) and module is not head}


def _is_linear(module: Any) -> bool:
    return isinstance(module, (nn.Linear, Conv1D))


def _train_in_float32(model: Any) -> None:
    """A step is too small for a bfloat16 near 1; of peft's own layers peft has seen to it, of whole modules not."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _as_stored(model: Any, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of modules trained in full in the type that their base has them in."""
    types = {
        f"{name}.{parameter}": tensor.dtype
        for name, module in model.named_modules()
        if isinstance(module, ModulesToSaveWrapper)
        for parameter, tensor in module.original_module.state_dict().items()
    }
    return {name: tensor.to(types.get(name, tensor.dtype)) for name, tensor in weights.items()}


def _outermost(names: Sequence[str]) -> list[str]:
    """Without those that lie in another: peft would make them a copy that takes no part."""
    return [name for name in names if not any(name.startswith(f"{other}.") for other in names)]


def _refuse_quantised(wanted: Sequence[str], modules: Mapping[str, Any], path: str) -> None:
    for index, name in enumerate(wanted):
        parameters = (weight for full in called(name, modules) for weight in modules[full].parameters())
        if not all(weight.is_floating_point() for weight in parameters):
            raise in_four_bits(name, f"{path}[{index}]")


def _named(wanted: Sequence[str], modules: dict[str, Any], path: str, kind: str) -> list[str]:
    """Full names of what is called so, or ends so behind a dot.

    Raises:
        FineTuneError: InvalidSpec, a name matches nothing.
    """
    found: dict[str, None] = {}
    for index, name in enumerate(wanted):
        matching = called(name, modules)
        found |= dict.fromkeys(matching)
        if not matching:
            raise not_there(kind, name, modules, f"{path}[{index}]")
    return list(found)


def _in_block(name: str) -> bool:
    """Whether a layer lies in a numbered block, as the output head does not."""
    return any(part.isdigit() for part in name.split("."))
