"""The base model: which files of its directory count, and whether we can work with it; no weights are downloaded."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import InputModel
from finetune_runner.layout import PodLayout
from finetune_runner.sources.opening import open_source
from finetune_runner.sources.source import Pinned, PinnedFile, Source

PATH = "spec.inputModel.source"
CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken")
CODE_PATTERN = "*.py"
WEIGHTS = ".safetensors"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
PREPARE_READS = (CONFIG, INDEX)


def open_base(model: InputModel, layout: PodLayout) -> Source:
    return open_source(model.source, kind="model", layout=layout, path=PATH)


def resolve(model: InputModel, layout: PodLayout) -> Pinned:
    """The base model, pinned and found fit.

    Raises:
        FineTuneError: ModelNotFound, ModelUnsupported, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = open_base(model, layout)
    pinned = source.resolve(lambda name: is_wanted(name, code=model.trust_remote_code))
    folder = layout.folder("prepare", "base")
    source.fetch(pinned, [file for file in pinned.files if file.path in PREPARE_READS], folder)
    check(pinned, folder, source.path, trust_remote_code=model.trust_remote_code)
    return pinned


def is_wanted(name: str, *, code: bool) -> bool:
    """Whether a file of the directory belongs to the model; subfolders hold other formats of the same weights."""
    patterns = (*PATTERNS, CODE_PATTERN) if code else PATTERNS
    return "/" not in name and not name.startswith(".") and any(fnmatchcase(name, pattern) for pattern in patterns)


def check(pinned: Pinned, folder: Path, path: str, *, trust_remote_code: bool) -> None:
    """That the directory holds a model we can work with.

    Args:
        pinned: its files.
        folder: where those of PREPARE_READS lie that it has.
        path: place of the source in the spec.
        trust_remote_code: whether code that comes with the model may run.

    Raises:
        FineTuneError: ModelNotFound (no config.json) or ModelUnsupported.
    """
    names = {file.path for file in pinned.files}
    if CONFIG not in names:
        raise FineTuneError(
            Reason.MODEL_NOT_FOUND,
            f"{pinned.uri} has no {CONFIG}",
            remedy="Point to a directory in transformers' format: config.json, tokenizer files and safetensors.",
            path=path,
        )
    _check_config(_json(folder / CONFIG, pinned, path), pinned, path, trust_remote_code=trust_remote_code)
    _check_weights(names, folder, pinned, path)
    if not any(name in names for name in TOKENIZERS) and not any(name.endswith(".tiktoken") for name in names):
        raise _unsupported(f"{pinned.uri} has no tokenizer", f"Add one of {', '.join(TOKENIZERS)}.", path)


def fetch(model: InputModel, pinned: Pinned, layout: PodLayout, target: Path) -> None:
    """Downloads the model, as it stood in prepare."""
    open_base(model, layout).fetch(pinned, pinned.files, target)


def fetch_tokenizer(model: InputModel, layout: PodLayout, target: Path) -> None:
    """Downloads all of the model but its weights, as it is now.

    Raises:
        FineTuneError: ModelNotFound, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = open_base(model, layout)
    pinned = source.resolve(lambda name: _is_small(name, code=model.trust_remote_code))
    source.fetch(pinned, pinned.files, target)


def _is_small(name: str, *, code: bool) -> bool:
    return is_wanted(name, code=code) and not name.endswith(WEIGHTS)


def weight_files(pinned: Pinned) -> list[PinnedFile]:
    return [file for file in pinned.files if file.path.endswith(WEIGHTS)]


def _check_config(config: Mapping[str, Any], pinned: Pinned, path: str, *, trust_remote_code: bool) -> None:
    if not config.get("model_type") and not config.get("architectures"):
        message = f"{CONFIG} of {pinned.uri} names neither model_type nor architectures"
        raise _unsupported(message, "Point to a model in transformers' format.", path)
    if config.get("auto_map") and not trust_remote_code:
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED,
            f"{pinned.uri} brings Python code of its own (auto_map in {CONFIG})",
            remedy="Set inputModel.trustRemoteCode if you trust that code, or use a model that transformers knows.",
            path="spec.inputModel.trustRemoteCode",
        )


def _check_weights(names: set[str], folder: Path, pinned: Pinned, path: str) -> None:
    if not weight_files(pinned):
        raise _unsupported(
            f"{pinned.uri} has no weights in safetensors",
            "Pickled weights (*.bin) are not read, since they can run code: convert them with save_pretrained.",
            path,
        )
    if INDEX in names:
        shards = set(_json(folder / INDEX, pinned, path).get("weight_map", {}).values())
        if missing := sorted(shards - names):
            raise _unsupported(f"{pinned.uri} lacks {missing[0]}, which {INDEX} names", "Upload all of it.", path)


def _json(file: Path, pinned: Pinned, path: str) -> Mapping[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except ValueError as error:
        message = f"{file.name} of {pinned.uri} is not JSON: {error}"
        raise _unsupported(message, "Upload the model again.", path) from error
    if not isinstance(document, dict):
        raise _unsupported(f"{file.name} of {pinned.uri} is not a JSON object", "Upload the model again.", path)
    return document


def _unsupported(message: str, remedy: str, path: str) -> FineTuneError:
    return FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=path)
