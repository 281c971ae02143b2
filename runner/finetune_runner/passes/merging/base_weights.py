"""The base's weights where they lie, and whether their names are those of the model's parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers.conversion_mapping import get_model_conversion_mapping

from finetune_runner.passes.merging.tensor_file import Stored, TensorFile, read_header
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.sources.model_check import INDEXES, WHOLE

ONE_FILE, INDEX = WHOLE[0], INDEXES[0]


@dataclass(frozen=True)
class BaseWeights:
    """A directory's safetensors."""

    files: Mapping[str, TensorFile]
    """By name of the file."""
    index: Mapping[str, Any] | None
    """What the index says, where the weights are in several files."""

    @cached_property
    def tensors(self) -> Mapping[str, Stored]:
        return {name: tensor for file in self.files.values() for name, tensor in file.tensors.items()}


def base_weights(directory: Path) -> BaseWeights:
    """The headers of a model's files, which transformers would load.

    Raises:
        FineTuneError: ArtifactCorrupt, one of them is damaged.
    """
    index = None
    names = [ONE_FILE]
    if not (directory / ONE_FILE).is_file():
        index = json.loads((directory / INDEX).read_bytes())
        names = sorted(set(index["weight_map"].values()))
    return BaseWeights({name: read_header(directory / name) for name in names}, index)


def check_names(model: Any, stored: Mapping[str, Stored]) -> None:
    """That each parameter lies there under its own name and in its own shape, of tied ones the one that is kept.

    Args:
        model: without weights, on the meta device.
        stored: the base's tensors.

    Raises:
        UnfitError: transformers would rename, join or reshape weights on loading, or one is missing or left over.
    """
    if getattr(model.config, "quantization_config", None) is not None:
        raise UnfitError("the base's weights are quantised")
    if get_model_conversion_mapping(model, add_legacy=False):
        raise UnfitError(f"transformers joins or renames weights of {model.config.model_type} when it loads them")
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for target, source in model.all_tied_weights_keys.items():
        if target in stored and source in stored:
            raise UnfitError(f"{target} and {source} are tied, yet both are stored")
        expected.pop(source if target in stored else target, None)
    if odd := sorted(expected.keys() ^ stored.keys()):
        raise UnfitError(f"the names of the base's weights are not those of the model, {odd[0]} among them")
    if odd := sorted(name for name, shape in expected.items() if stored[name].shape != shape):
        raise UnfitError(f"{odd[0]} is stored in another shape than the model has")
