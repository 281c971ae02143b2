"""Weights in another format become a transformers directory with safetensors."""

import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from gguf import GGMLQuantizationType, GGUFReader
from huggingface_hub import save_torch_state_dict
from transformers import AutoModelForCausalLM, GgufConfig, PretrainedConfig
from transformers.utils import logging

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import SOURCE_PATH
from finetune_runner.ending.exceptions import resource_failure
from finetune_runner.passes.gguf_tokenizer import save_tokenizer
from finetune_runner.passes.model_files import carry_generation_config, carry_notices, carry_tokenizer
from finetune_runner.sources.gguf_header import read_header
from finetune_runner.sources.model_check import INDEXES, WHOLE
from finetune_runner.sources.model_format import Conversion, has_tokenizer

PICKLE_WHOLE, PICKLE_INDEX = WHOLE[1], INDEXES[1]
STORED = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}


def convert(kind: Conversion, source: Path, target: Path) -> None:
    """Converts a folder's model into an empty folder; tokenizer and notices are carried along.

    Raises:
        FineTuneError: ModelUnsupported, OutOfHostMemory or OutOfDisk.
    """
    logging.disable_progress_bar()
    if kind == "gguf":
        convert_gguf(next(source.glob("*.gguf")), target)
    else:
        convert_pickles(source, target)


def convert_gguf(file: Path, target: Path) -> None:
    """A .gguf file, dequantised; the tokenizer files beside it, or else the file's own tokenizer.

    Weights keep the type they are stored in; quantised ones become bfloat16.

    Raises:
        FineTuneError: ModelUnsupported, OutOfHostMemory or OutOfDisk.
    """
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=stored_type(file),
            # transformers would otherwise keep quantised blocks, which it cannot save
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
            output_loading_info=True,
        )
    except (ValueError, OSError, KeyError, NotImplementedError, RuntimeError) as error:
        raise resource_failure(error) or _unsupported(f"{file.name} cannot be loaded: {_first_line(error)}") from error
    if missing := sorted(loaded["missing_keys"]):
        raise _unsupported(f"{file.name} lacks weights, {missing[0]} among them")
    _complete(model.config, file)
    model.save_pretrained(target)
    if has_tokenizer(name.name for name in file.parent.iterdir()):
        carry_tokenizer(file.parent, target)
    else:
        save_tokenizer(file, target)
    carry_generation_config(file.parent, target)
    carry_notices(file.parent, target)


def _complete(config: PretrainedConfig, file: Path) -> None:
    """What transformers leaves out of a config though the file says it, for each architecture that is read."""
    if config.model_type == "phi3":
        with file.open("rb") as opened:
            header = read_header(lambda size: _first(opened, size))
        config.sliding_window = header.metadata.get("phi3.attention.sliding_window") or None
        # Files with scaled rotary positions are refused; onnxruntime-genai tells them by these two.
        config.original_max_position_embeddings = config.max_position_embeddings


def _first(opened: BinaryIO, size: int) -> bytes:
    opened.seek(0)
    return opened.read(size)


def stored_type(file: Path) -> torch.dtype:
    """The type of a file's weights: that of its matrices, since vectors are kept in float32 beside any."""
    kinds = {tensor.tensor_type for tensor in GGUFReader(file).tensors if len(tensor.shape) > 1}
    only = next(iter(kinds)) if len(kinds) == 1 else None
    return STORED.get(only, torch.bfloat16)


def convert_pickles(source: Path, target: Path) -> None:
    """pytorch_model.bin, or the shards its index names, with torch's restricted unpickler.

    Raises:
        FineTuneError: ModelUnsupported, OutOfHostMemory or OutOfDisk.
    """
    shards = _shards(source)
    # A copy of each tensor: tied ones share memory, which safetensors does not know.
    weights = {name: tensor.clone() for shard in shards for name, tensor in _unpickled(source / shard).items()}
    save_torch_state_dict(weights, target)
    for file in source.iterdir():
        if file.is_file() and file.name not in (*shards, PICKLE_INDEX):
            shutil.copyfile(file, target / file.name)


def _shards(source: Path) -> list[str]:
    index = source / PICKLE_INDEX
    if not index.is_file():
        return [PICKLE_WHOLE]
    return sorted(set(json.loads(index.read_bytes())["weight_map"].values()))


def _unpickled(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        weights: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        message = f"{file.name} is not read, since it holds more than weights, or is damaged"
        raise resource_failure(error) or _unsupported(message) from error
    if not isinstance(weights, Mapping) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise _unsupported(f"{file.name} is no mapping of names to weights")
    return weights


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), repr(error))


def _unsupported(message: str) -> FineTuneError:
    remedy = "Use the model in safetensors, as save_pretrained writes it."
    return FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=SOURCE_PATH)
