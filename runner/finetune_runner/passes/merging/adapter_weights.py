"""An adapter's tensors where they lie, told apart: those that change a layer, and those that replace a weight."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftConfig
from peft.tuners.tuners_utils import check_target_module_exists
from torch import nn
from transformers.pytorch_utils import Conv1D

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.merging.tensor_file import FLOATS, Stored, read_header
from finetune_runner.passes.merging.token_rows import SUFFIX, TokenRows, token_indices
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.model_files import ADAPTER_WEIGHTS

PREFIX = "base_model.model."
KINDS = (LoraConfig, LoHaConfig, LoKrConfig)
PER_LAYER = frozenset(
    {
        *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
        *("inference_mode", "r", "alpha", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules"),
        *("exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save", "fan_in_fan_out"),
        *("lora_dropout", "rank_dropout", "module_dropout", "rank_dropout_scale", "use_rslora", "use_dora"),
        *("init_weights", "decompose_both", "decompose_factor", "trainable_token_indices"),
    }
)
"""Settings of peft that mean the same to a layer by itself; with each version it gets others, which may not."""


@dataclasses.dataclass(frozen=True)
class AdapterWeights:
    config: PeftConfig
    layers: Mapping[str, Mapping[str, Stored]]
    """A layer's name to its tensors by their names in the file."""
    replaced: Mapping[str, Stored]
    """A weight's name to what takes its place."""
    rows: Mapping[str, TokenRows]
    """A weight's name to what takes the place of some of its rows."""

    def trains(self, name: str) -> bool:
        """Whether a weight belongs to a layer with an adapter, or to a module trained in full, as a copy of its own."""
        *modules, _ = accumulate(name.split("."), "{}.{}".format)
        return modules[-1] in self.layers or any(_saved(self.config, module) for module in modules)


def adapter_weights(directory: Path, model: Any) -> AdapterWeights:
    """Reads the adapter's config and header.

    Args:
        directory: of the adapter.
        model: that it belongs to, without weights.

    Raises:
        UnfitError: it has what a layer by itself can't be told of.
        FineTuneError: ArtifactCorrupt, it lacks weights.
    """
    config = PeftConfig.from_pretrained(directory)
    _check(config)
    if not (directory / ADAPTER_WEIGHTS).is_file():
        raise UnfitError(f"the adapter has no {ADAPTER_WEIGHTS}")
    modules, parameters = dict(model.named_modules()), model.state_dict()
    layers: dict[str, dict[str, Stored]] = defaultdict(dict)
    replaced, rows, indices = {}, {}, token_indices(config)
    for key, tensor in read_header(directory / ADAPTER_WEIGHTS).tensors.items():
        name = key.removeprefix(PREFIX)
        if tensor.dtype not in FLOATS:
            raise UnfitError(f"the adapter's {name} is of type {tensor.dtype}")
        if name in parameters:
            replaced[name] = tensor
        elif (module := name.removesuffix(SUFFIX)) in indices:
            rows[f"{module}.weight"] = TokenRows(indices[module], tensor)
        else:
            layers[_layer(name, modules)][key] = tensor
    found = AdapterWeights(config, layers, replaced, rows)
    _check_complete(found, modules)
    return found


def _check(config: Any) -> None:
    if not isinstance(config, KINDS):
        raise UnfitError(f"adapters of type {config.peft_type} are merged by peft as a whole")
    for field in dataclasses.fields(config):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if field.name not in PER_LAYER and (getattr(config, field.name) or None) != (default or None):
            raise UnfitError(f"the adapter sets {field.name}")


def _layer(name: str, modules: Mapping[str, Any]) -> str:
    """The layer that an adapter's tensor belongs to."""
    layer = name
    while layer and layer not in modules:
        layer = layer.rpartition(".")[0]
    if not isinstance(modules[layer], (nn.Linear, Conv1D)):
        raise UnfitError(f"the adapter's {name} belongs to no linear layer")
    return layer


def _check_complete(found: AdapterWeights, modules: Mapping[str, nn.Module]) -> None:
    wanted = {name for name in modules if name and check_target_module_exists(found.config, name)}
    saved = {
        f"{name}.{parameter}"
        for name, module in modules.items()
        if _saved(found.config, name)
        for parameter in module.state_dict()
    }
    rows = {f"{name}.weight" for name in token_indices(found.config)}
    if found.rows and (without := rows - found.rows.keys()):
        raise UnfitError(f"the adapter has rows of {min(found.rows)} and none of {min(without)}")
    missing = (wanted - found.layers.keys()) | (saved - found.replaced.keys()) | (rows - found.rows.keys())
    if missing:
        message = f"the adapter lacks the weights of {min(missing)}"
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, message, remedy="Make the adapter again.")
    if extra := sorted(found.layers.keys() - wanted):
        raise UnfitError(f"the adapter has weights of {extra[0]}, which its config does not name")


def _saved(config: PeftConfig, module: str) -> bool:
    """As peft tells it, by the end of the name."""
    return bool(module) and any(module.endswith(name) for name in config.modules_to_save or ())
