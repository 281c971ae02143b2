"""A model whose decoder layers are rounded by GPTQ, as a directory to export: floats that lie on a 4-bit grid."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from finetune_api.resource.exports import ModelBuilder
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.passes.contract import Report
from finetune_runner.passes.merging.base_weights import INDEX, base_weights, check_names
from finetune_runner.passes.merging.embeddings import stored_names
from finetune_runner.passes.merging.tensor_file import Stored, write_file
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.model_files import carry_generation_config, carry_tokenizer
from finetune_runner.passes.rounding.in_place import form_of
from finetune_runner.passes.rounding.matrix import NIBBLE
from finetune_runner.passes.rounding.streams import ByGptq, Calibrations, RoundedRows, both_streams
from finetune_runner.sources.model_format import CONFIG
from finetune_runner.training.work import has_experts

MOST_ROWS, LONGEST, MOST_TOKENS = 128, 512, 16384
"""Of the calibration rows, which go through a layer all at once; padding counts as tokens."""
OTHERS = "others.safetensors"
NO = ("false", "0")
"""How the builder's options say it, in any case."""


@torch.no_grad()
def round_decoder_layers(
    source: Path, output: Path, sequences: Sequence[TokenSequence], export: ModelBuilder, report: Report
) -> None:
    """Writes config, tokenizer and weights; those of the decoder layers are rounded, one layer after the other.

    The rows go through the model as it is and, beside that, with all rounded that they have passed: by both streams a
    product is calibrated when they come to it. In memory are the embedding and one layer in float32, and the rows'
    activations in it, twice. The weights are stored in float32, in which their grid can be told again.

    Args:
        source: a transformers directory.
        output: an empty directory.
        sequences: the calibration rows.
        export: how it will be exported.
        report: told how many layers are done.

    Raises:
        UnfitError: the model can't be gone through layer by layer.
    """
    if json.loads((source / CONFIG).read_bytes()).get("auto_map"):
        raise UnfitError("it brings code of its own")
    config = AutoConfig.from_pretrained(source, local_files_only=True)
    if has_experts(config):
        raise UnfitError("no row reaches all of its experts")
    with init_empty_weights(include_buffers=False):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    tensors = base_weights(source).tensors
    check_names(model, tensors)
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList):
        raise UnfitError(f"the layers of {config.model_type} are not in a list of that name")
    stored = {name: tensors[at] for name, at in stored_names(model, tensors).items()}
    names = {module: name for name, module in model.named_modules()}
    for module in decoder.modules():
        if names[module] and not names[module].startswith(f"{names[layers]}."):
            _fill(module, names[module], stored, recurse=False)
    ids, mask = _batch(sequences)
    done: dict[str, str] = {}
    for number, layer in enumerate(layers):
        save = partial(_save, output / f"layer-{number}.safetensors", done)
        told = partial(report, step=number + 1, total_steps=len(layers))
        own = _Own(names[layer], stored, mask, export.block_size)
        layer.forward = _Rounded(layer, own, save, told)
    embedding, form = model.get_input_embeddings(), form_of(export, NIBBLE)
    is_rounded = rounds_embedding(export, config)
    with both_streams(embedding, RoundedRows(embedding, form)) if is_rounded else nullcontext():
        decoder(input_ids=torch.cat((ids, ids)), attention_mask=torch.cat((mask, mask)).long(), use_cache=False)
    _write_others(output, tensors, done)
    _carry(source, output)


def rounds_embedding(export: ModelBuilder, config: Any) -> bool:
    """Whether an export rounds the embedding: only where it is the head, too, and there once."""
    kept = config.get_text_config().tie_word_embeddings and not (export.exclude_embeds or export.exclude_lm_head)
    return bool(kept and export.extra_options.get("shared_embeddings", "true").lower() not in NO)


@dataclass(frozen=True)
class _Own:
    """What a layer is made of and calibrated by."""

    name: str
    stored: Mapping[str, Stored]
    """The weights of the model by their names."""
    mask: torch.Tensor
    """[rows, length]: where there is a token."""
    block_size: int


class _Rounded:
    """A layer's forward pass that rounds the layer on the way; its weights are there only while it lasts."""

    def __init__(
        self, layer: Any, own: _Own, save: Callable[[Mapping[str, torch.Tensor]], None], told: Callable[[], None]
    ) -> None:
        self._layer, self._own, self._save, self._told = layer, own, save, told
        self._forward = layer.forward

    def __call__(self, *given: Any, **named: Any) -> Any:
        products: dict[str, Any] = {n: part for n, part in self._layer.named_modules() if isinstance(part, nn.Linear)}
        _fill(self._layer, self._own.name, self._own.stored, recurse=True)
        calibrations = Calibrations(self._own.mask)
        with ExitStack() as streams:
            for product in products.values():
                rounded = ByGptq(product, calibrations, self._own.block_size)
                streams.enter_context(both_streams(product, rounded))
            output = self._forward(*given, **named)
        self._save({f"{self._own.name}.{name}.weight": product.weight.data for name, product in products.items()})
        self._layer.to("meta")
        self._told()
        return output


def _fill(module: Any, name: str, stored: Mapping[str, Stored], *, recurse: bool) -> None:
    """Reads a module's weights."""
    for path, parameter in list(module.named_parameters(recurse=recurse)):
        *parents, own = path.split(".")
        weight = stored[f"{name}.{path}"].read().to(parameter.dtype)
        setattr(module.get_submodule(".".join(parents)), own, nn.Parameter(weight, requires_grad=False))


def _batch(sequences: Sequence[TokenSequence]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and whether there is a token, both [rows, longest]."""
    rows = [list(sequence.ids[:LONGEST]) for sequence in sequences[:MOST_ROWS]]
    longest = max(map(len, rows))
    rows = rows[: max(1, MOST_TOKENS // longest)]
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([[at < len(row) for at in range(longest)] for row in rows])


def _save(file: Path, done: dict[str, str], weights: Mapping[str, torch.Tensor]) -> None:
    save_file({name: weight.contiguous() for name, weight in weights.items()}, file, metadata={"format": "pt"})
    done.update(dict.fromkeys(weights, file.name))


def _write_others(output: Path, tensors: Mapping[str, Stored], done: Mapping[str, str]) -> None:
    others = {name: tensor for name, tensor in tensors.items() if name not in done}
    write_file(output / OTHERS, {"format": "pt"}, others)
    index = {"metadata": {}, "weight_map": {**dict.fromkeys(others, OTHERS), **done}}
    (output / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _carry(source: Path, output: Path) -> None:
    config = json.loads((source / CONFIG).read_bytes())
    config.pop("torch_dtype", None)
    (output / CONFIG).write_text(json.dumps(config | {"dtype": "float32"}), encoding="utf-8")
    carry_tokenizer(source, output)
    carry_generation_config(source, output)
