"""The adapter: which layers get one, and how it is made and saved."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers.pytorch_utils import Conv1D

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.passes import Lora

ALL_LINEAR = "all-linear"
NEUTRAL_BASE = "base"
"""What adapter_config.json calls its base: any path would be one of a pod that is gone."""
WEIGHTS = "adapter_model.safetensors"


def with_adapter(model: Any, config: Lora, path: str) -> Any:
    """The model with a fresh adapter, everything else frozen.

    Raises:
        FineTuneError: InvalidSpec, a name matches no layer.
    """
    _check(config.target_modules, _linear_layers(model), f"{path}.targetModules", "linear layer")
    _check(config.modules_to_save, dict(model.named_modules()), f"{path}.modulesToSave", "module")
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.target_modules) or ALL_LINEAR,
        modules_to_save=list(config.modules_to_save) or None,
    )
    return get_peft_model(model, lora)


def save_adapter(model: Any, directory: Path) -> None:
    """Writes adapter_config.json and adapter_model.safetensors, without a path of this pod in them."""
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        directory / WEIGHTS,
        metadata={"format": "pt"},
    )
    config = model.peft_config["default"]
    config.base_model_name_or_path = NEUTRAL_BASE
    config.inference_mode = True
    config.save_pretrained(directory)


def _linear_layers(model: Any) -> dict[str, Any]:
    """Full names of the layers that can have an adapter: all linear ones, without a head that is also the embedding."""
    head = model.get_output_embeddings() if model.config.tie_word_embeddings else None
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and module is not head
    }


def _check(wanted: Sequence[str], modules: dict[str, Any], path: str, kind: str) -> None:
    for index, name in enumerate(wanted):
        if not any(full == name or full.endswith(f".{name}") for full in modules):
            there_is = ", ".join(dict.fromkeys(_last_parts(modules)))
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"no {kind} of the model is named {name!r}",
                remedy=f"There are: {there_is}.",
                path=f"{path}[{index}]",
            )


def _last_parts(names: dict[str, Any]) -> Iterator[str]:
    """What the layers are called within their block."""
    return (part for name in names if not (part := name.rpartition(".")[2]).isdigit() and part)
