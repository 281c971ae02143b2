"""Which format a model's directory is in, and which of its files count. Pure.

Whatever the format, passes get one folder as transformers reads it; `Files` says which name a file has there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import InputModel
from finetune_runner.passes.model_files import GENERATION_CONFIG, NOTICES, TOKENIZER_FILES

Format = Literal["transformers", "gguf", "mlflow"]
Conversion = Literal["", "gguf", "pickle"]
"""What weights have to be made safetensors from; nothing, where they are."""
Files = Mapping[str, str]
"""Some or all of a source's files: path there to the name in the folder."""

CONFIG = "config.json"
MLMODEL = "MLmodel"
SAFETENSORS = "*.safetensors"
MISTRALS = "consolidated*"
"""Weights as Mistral's own programs read them, which its repositories hold beside those for transformers."""
PICKLED = "pytorch_model*.bin"
"""Other .bin files are a trainer's state, or another format's."""
GGUF = ".gguf"
TIKTOKEN = ".tiktoken"
PATTERNS = ("*.json", "*.model", "*.txt", "*.jinja", f"*{TIKTOKEN}", *NOTICES)
CODE = "*.py"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
SHOWN = 5


def format_of(model: InputModel, names: Sequence[str]) -> Format:
    """The format that the spec names, or that the files show."""
    if model.format != "auto":
        return model.format
    if model.gguf_file:
        return "gguf"
    if MLMODEL in names:
        return "mlflow"
    weights = any(_is(name, (SAFETENSORS, PICKLED)) for name in names)
    return "gguf" if not (CONFIG in names and weights) and gguf_files(names) else "transformers"


def gguf_files(names: Sequence[str]) -> list[str]:
    """The .gguf files that may hold a language model; mmproj files hold an encoder of images."""
    return sorted(name for name in names if name.endswith(GGUF) and "mmproj" not in name)


def flat(names: Sequence[str], folders: Sequence[str] = ("",)) -> dict[str, str]:
    """The files that lie directly in folders, with their names there.

    A file of a later folder takes the place of an earlier one's, except a tokenizer's config.json: that is the model's.
    """
    found: dict[str, str] = {}
    for folder in folders:
        prefix = f"{folder}/" if folder else ""
        for path in names:
            name = path.removeprefix(prefix)
            if not path.startswith(prefix) or "/" in name or name.startswith("."):
                continue
            if name == CONFIG and name in found and folder.endswith("tokenizer"):
                continue
            found[name] = path
    return {path: name for name, path in found.items()}


def with_notices(files: Files, names: Sequence[str]) -> Files:
    """Files of folders, and the notices that lie above them."""
    taken = set(files.values())
    return {name: name for name in names if "/" not in name and _is(name, NOTICES) and name not in taken} | dict(files)


def transformers_files(files: Files, *, code: bool, pickles: bool) -> Files:
    """Those of a folder's files that transformers reads; pickled weights only where there are no others."""
    kind = SAFETENSORS if has_safetensors(files.values()) or not pickles else PICKLED
    weights = {path: name for path, name in files.items() if _is(name, (kind,)) and not _is(name, (MISTRALS,))}
    return small_files(files, code=code) | weights


def small_files(files: Files, *, code: bool) -> dict[str, str]:
    """Those of them that are no weights."""
    patterns = (*PATTERNS, CODE) if code else PATTERNS
    return {path: name for path, name in files.items() if _is(name, patterns)}


def gguf_choice(model: InputModel, names: Sequence[str], uri: str, path: str) -> Files:
    """The .gguf file, and the tokenizer's files if there are any.

    Raises:
        FineTuneError: ModelNotFound, or ModelUnsupported where the choice is not clear.
    """
    file = _gguf_file(model, names, uri, path)
    beside = flat(names, beside_gguf(file))
    tokenizer = {path: name for path, name in beside.items() if name in TOKENIZER_FILES}
    others = {path: name for path, name in beside.items() if _is(name, (*NOTICES, GENERATION_CONFIG))}
    return {file: file.rpartition("/")[2]} | (tokenizer if has_tokenizer(tokenizer.values()) else {}) | others


def beside_gguf(file: str) -> tuple[str, ...]:
    """The folders in which what belongs to a .gguf file is looked for: the source's own, and the file's."""
    return ("", *([file.rpartition("/")[0]] if "/" in file else []))


def has_safetensors(names: Iterable[str]) -> bool:
    return any(_is(name, (SAFETENSORS,)) for name in names)


def has_tokenizer(names: Iterable[str]) -> bool:
    return any(name in TOKENIZERS or name.endswith(TIKTOKEN) for name in names)


def has_pickles(names: Iterable[str]) -> bool:
    return any(_is(name, (PICKLED,)) for name in names)


def _gguf_file(model: InputModel, names: Sequence[str], uri: str, path: str) -> str:
    there = gguf_files(names)
    if model.gguf_file and model.gguf_file not in names:
        message = f"{uri} has no file {model.gguf_file}"
        raise FineTuneError(Reason.MODEL_NOT_FOUND, message, remedy=_use_one_of(there), path="spec.inputModel.ggufFile")
    if not there and not model.gguf_file:
        raise FineTuneError(Reason.MODEL_NOT_FOUND, f"{uri} has no .gguf file", remedy="Correct the source.", path=path)
    if len(there) > 1 and not model.gguf_file:
        message = f"{uri} has {len(there)} .gguf files"
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED, message, remedy=_use_one_of(there), path="spec.inputModel.ggufFile"
        )
    file = model.gguf_file or there[0]
    if SPLIT.search(file):
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED,
            f"{file} of {uri} is one part of several, which transformers does not read",
            remedy="Join them with llama-gguf-split --merge.",
            path=path,
        )
    return file


def _use_one_of(files: Sequence[str]) -> str:
    if not files:
        return "It has no .gguf file; correct the source."
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f"Set ggufFile to one of {', '.join(files[:SHOWN])}{more}."


def _is(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
