"""Merging with one layer in memory at a time: each file of the base is written again, with its changed weights."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from finetune_runner.passes.contract import Report
from finetune_runner.passes.loading import load_skeleton
from finetune_runner.passes.merging.adapter_weights import AdapterWeights, adapter_weights
from finetune_runner.passes.merging.as_seen import AsSeen
from finetune_runner.passes.merging.base_weights import INDEX, BaseWeights, base_weights, check_names
from finetune_runner.passes.merging.embeddings import check_shapes, stored_names, untied
from finetune_runner.passes.merging.layer import merged_weight
from finetune_runner.passes.merging.tensor_file import FLOATS, Made, Stored, write_file
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.model_files import GENERATION_CONFIG, carry_generation_config
from finetune_runner.sources.model_format import CONFIG

Changed = dict[str, Made]
"""A weight's name to what becomes of it."""


def merge_by_shard(base: Path, adapter: Path, output: Path, report: Report, as_seen: AsSeen | None) -> None:
    """Writes config.json, generation_config.json and the weights, in files as the base has them.

    A weight is added to in float32 and rounded once, to the type it is stored in. Those that the adapter leaves alone
    are copied byte for byte. Memory: a few times the largest changed layer in float32.

    Args:
        base: a transformers directory.
        adapter: peft's, of LoRA (also rank-stabilised, DoRA), LoHa or LoKr.
        output: where it is written.
        report: told how many layers are done.
        as_seen: what the adapter saw instead of the base; None: the base itself.

    Raises:
        UnfitError: it might not be what peft gives; nothing is written then.
        FineTuneError: ArtifactCorrupt or ModelUnsupported.
        ValueError: a merged weight is not finite.
    """
    if json.loads((base / CONFIG).read_bytes()).get("auto_map"):
        raise UnfitError("the base brings code of its own")
    model = load_skeleton(base)
    stored = base_weights(base)
    check_names(model, stored.tensors)
    weights = adapter_weights(adapter, model)
    changed = _changed(model, stored.tensors, weights, report, as_seen)
    added = untied(model, stored.tensors, changed, weights)
    files = {name: _file(file.tensors, changed, added) for name, file in stored.files.items()}
    everything = {name: tensor for tensors in files.values() for name, tensor in tensors.items()}
    check_shapes(model, changed, everything, weights)
    for name, tensors in files.items():
        write_file(output / name, stored.files[name].metadata, tensors)
    if stored.index is not None:
        _write_index(stored.index, files, output)
    _write_config(model, stored, base, output)


def _changed(
    model: Any, base: Mapping[str, Stored], adapter: AdapterWeights, report: Report, as_seen: AsSeen | None
) -> Changed:
    """What becomes of each weight; of tied ones each under its own name."""
    names, modules, done = stored_names(model, base), dict(model.named_modules()), 0

    def read(layer: str) -> torch.Tensor:
        weight = base[names[f"{layer}.weight"]].read()
        return as_seen.weight(weight) if as_seen and layer in as_seen.names else weight

    def merged(layer: str) -> torch.Tensor:
        nonlocal done
        weight = merged_weight(layer, modules[layer], read(layer), adapter.layers[layer], adapter.config)
        done += 1
        report(step=done, total_steps=len(adapter.layers))
        return weight

    changed = {}
    for layer in {*adapter.layers, *(as_seen.layers if as_seen else ())}:
        like = base[names[f"{layer}.weight"]]
        changed[f"{layer}.weight"] = _rounded(
            like, like.shape, partial(merged if layer in adapter.layers else read, layer)
        )
    for name, tensor in adapter.replaced.items():
        changed[name] = _rounded(base[names[name]], tensor.shape, tensor.read)
    for name, rows in adapter.rows.items():
        if name not in names or name in changed:
            raise UnfitError(f"the adapter has rows of {name}, which the base lacks or the adapter changes as a whole")
        like = base[names[name]]
        shape = rows.shape_in(name, like)
        changed[name] = _rounded(like, shape, partial(rows.within, like, shape))
    return changed


def _rounded(like: Stored, shape: tuple[int, ...], make: Callable[[], torch.Tensor]) -> Made:
    """What is made, in the type that a weight is stored in."""
    if like.dtype not in FLOATS:
        raise UnfitError(f"weights of type {like.dtype} are changed")
    return Made(like.dtype, shape, lambda: make().to(FLOATS[like.dtype]))


def _file(
    tensors: Mapping[str, Stored], changed: Changed, added: Mapping[str, Mapping[str, Stored | Made]]
) -> dict[str, Stored | Made]:
    found: dict[str, Stored | Made] = {}
    for name, tensor in tensors.items():
        found |= {name: changed.get(name, tensor), **added.get(name, {})}
    return found


def _write_index(index: Mapping[str, Any], files: Mapping[str, Mapping[str, Stored | Made]], output: Path) -> None:
    every = [tensor for tensors in files.values() for tensor in tensors.values()]
    metadata = {**index.get("metadata", {}), "total_size": sum(tensor.size for tensor in every)}
    if "total_parameters" in metadata:
        metadata["total_parameters"] = sum(math.prod(tensor.shape) for tensor in every)
    document = {
        "metadata": metadata,
        "weight_map": {tensor: name for name, tensors in files.items() for tensor in tensors},
    }
    (output / INDEX).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write_config(model: Any, stored: BaseWeights, base: Path, output: Path) -> None:
    """As save_pretrained writes them."""
    first = next(tensor.dtype for tensor in stored.tensors.values() if tensor.dtype in FLOATS)
    model.config.dtype = model.config.dtype or FLOATS[first]
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(output)
    if (base / GENERATION_CONFIG).is_file():
        carry_generation_config(base, output)
    elif model.can_generate():
        model.generation_config.save_pretrained(output)
