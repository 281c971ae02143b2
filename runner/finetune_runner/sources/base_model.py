"""The base model: pinned and found fit without its weights, and later fetched as it stood."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from finetune_api.cache_key import digest_of
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.input_model import SOURCE_PATH, InputModel
from finetune_runner.cache_keys.library_versions import CONVERSION, deciding
from finetune_runner.formats.first_bytes import LFS
from finetune_runner.layout import PodLayout
from finetune_runner.sources import gguf_check, mlflow_layout
from finetune_runner.sources.base_card import BaseCard, read_card
from finetune_runner.sources.gguf_header import GgufError, Header, read_header
from finetune_runner.sources.model_check import PREPARE_READS, ModelCheck
from finetune_runner.sources.model_format import (
    CONFIG,
    GGUF,
    MLMODEL,
    Conversion,
    Files,
    beside_gguf,
    flat,
    format_of,
    gguf_choice,
    has_safetensors,
    has_tokenizer,
    small_files,
    transformers_files,
    with_notices,
)
from finetune_runner.sources.opening import open_source
from finetune_runner.sources.source import ListedSource, Pinned

LOOKED_AT = ("prepare", "base")
"""Folder in the scratch space with what prepare reads of a transformers directory."""
LFS_POINTER_BYTES = 1024
"""Pointers are shorter (the specification's limit); weights are not."""
CONVERSION_VERSION = 1
"""Raised when the conversion's code changes what it makes."""


class PinnedModel(Pinned):
    """The base model as it stood in prepare, and what has to be done to have it as passes read it."""

    card: BaseCard = Field(default_factory=BaseCard)
    """What its own card says of its licence."""
    names: dict[str, str] = Field(default_factory=dict)
    """Path in the source to the name in the folder, for those where they differ."""
    conversion: Conversion = ""
    """What its weights are made safetensors from, once, before a pass can use them."""


def open_base(model: InputModel, layout: PodLayout) -> ListedSource:
    return open_source(model.source, kind="model", layout=layout, path=SOURCE_PATH)


def resolve(model: InputModel, layout: PodLayout) -> PinnedModel:
    """The base model, pinned and found fit.

    Raises:
        FineTuneError: ModelNotFound, ModelUnsupported, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = open_base(model, layout)
    names = source.names()
    if format_of(model, names) == "gguf":
        pinned = _resolve_gguf(model, source, names)
    else:
        pinned = _resolve_directory(model, source, _directory(model, source, names, layout), layout)
    return pinned.model_copy(update={"card": read_card(source, names)})


def fetch(model: InputModel, pinned: PinnedModel, layout: PodLayout, target: Path) -> None:
    """Downloads the model's files, as they stood in prepare, under their names in the folder."""
    open_base(model, layout).fetch(pinned, pinned.files, target)
    _rename(pinned.names, target)


def fetch_tokenizer(model: InputModel, layout: PodLayout, target: Path) -> None:
    """Downloads all of the model but its weights, as it is now.

    Raises:
        FineTuneError: ModelNotFound, ModelUnsupported, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = open_base(model, layout)
    names = source.names()
    chosen = _tokenizer_files(model, source, names, layout)
    pinned = source.resolve(chosen.__contains__)
    source.fetch(pinned, pinned.files, target)
    _rename({path: name for path, name in chosen.items() if path != name}, target)


def _tokenizer_files(model: InputModel, source: ListedSource, names: Sequence[str], layout: PodLayout) -> Files:
    if format_of(model, names) != "gguf":
        return small_files(_directory(model, source, names, layout), code=model.trust_remote_code)
    chosen = gguf_choice(model, names, source.uri, source.path)
    if has_tokenizer(chosen.values()):
        file = next(path for path in chosen if path.endswith(GGUF))
        return small_files(flat(names, beside_gguf(file)), code=model.trust_remote_code)
    raise FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        f"the tokenizer of {source.uri} lies in its .gguf file, which is converted only when the job runs",
        remedy="Put the original model's tokenizer files beside the .gguf file.",
        path=source.path,
    )


def _directory(model: InputModel, source: ListedSource, names: Sequence[str], layout: PodLayout) -> Files:
    """All files of a transformers directory, wherever its parts lie."""
    if format_of(model, names) == "transformers":
        return flat(names)
    return with_notices(flat(names, _mlflow_folders(source, names, layout)), names)


def _resolve_directory(model: InputModel, source: ListedSource, there: Files, layout: PodLayout) -> PinnedModel:
    chosen = transformers_files(there, code=model.trust_remote_code, pickles=model.allow_pickle)
    if not chosen:
        raise _elsewhere(source)
    folder = layout.folder(*LOOKED_AT)
    looked_at = {path: name for path, name in chosen.items() if name in PREPARE_READS}
    pinned = source.resolve(chosen.__contains__)
    source.fetch(pinned, [file for file in pinned.files if file.path in looked_at], folder)
    _rename(looked_at, folder)
    ModelCheck(model, set(there.values()), folder, pinned.uri, source.path).check()
    _refuse_pointers(source, pinned)
    return _pinned(pinned, chosen, "" if has_safetensors(chosen.values()) else "pickle")


def _elsewhere(source: ListedSource) -> FineTuneError:
    """That the model is not here, but may be in a folder below."""
    below = next((name for name in sorted(source.names()) if name.endswith(f"/{CONFIG}")), "")
    there_is = f", but {below}" if below else ""
    remedy = f"Point to {below.rpartition('/')[0]}." if below else "Point to a directory with a model."
    message = f"{source.uri} has no {CONFIG}{there_is}"
    return FineTuneError(Reason.MODEL_NOT_FOUND, message, remedy=remedy, path=source.path)


def _refuse_pointers(source: ListedSource, pinned: Pinned) -> None:
    """That no file of weights is what Git LFS leaves where it was not asked to fetch."""
    for file in pinned.files:
        small = 0 < file.size < LFS_POINTER_BYTES and file.path.endswith((".safetensors", ".bin"))
        if small and source.read(pinned, file, len(LFS)) == LFS:
            raise FineTuneError(
                Reason.MODEL_UNSUPPORTED,
                f"{pinned.uri} has a {file.path} that is a pointer of Git LFS, not the file itself",
                remedy="Fetch it with git lfs pull, and upload that.",
                path=source.path,
            )


def _resolve_gguf(model: InputModel, source: ListedSource, names: Sequence[str]) -> PinnedModel:
    chosen = gguf_choice(model, names, source.uri, source.path)
    pinned = source.resolve(chosen.__contains__)
    beside = has_tokenizer(chosen.values())
    gguf_check.check(_header(source, pinned), pinned.uri, source.path, has_tokenizer=beside)
    return _pinned(pinned, chosen, "gguf")


def _header(source: ListedSource, pinned: Pinned) -> Header:
    file = next(file for file in pinned.files if file.path.endswith(GGUF))
    try:
        return read_header(lambda size: source.read(pinned, file, size))
    except GgufError as error:
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED,
            f"{file.path} of {pinned.uri} is not a GGUF file that can be read: {error}",
            remedy="Upload it again, or use the model that it was made from, in safetensors.",
            path=source.path,
        ) from error


def _mlflow_folders(source: ListedSource, names: Sequence[str], layout: PodLayout) -> Sequence[str]:
    if MLMODEL not in names:
        raise FineTuneError(
            Reason.MODEL_NOT_FOUND,
            f"{source.uri} has no file {MLMODEL}",
            remedy="Point to the directory that MLflow has written, or set another format.",
            path="spec.inputModel.format",
        )
    folder = layout.folder("prepare", "mlflow")
    pinned = source.resolve(MLMODEL.__eq__)
    source.fetch(pinned, pinned.files, folder)
    return mlflow_layout.folders((folder / MLMODEL).read_bytes(), pinned.uri, source.path)


def _pinned(pinned: Pinned, chosen: Files, conversion: Conversion) -> PinnedModel:
    names = {path: name for path, name in chosen.items() if path != name}
    digest = pinned.digest
    if names or conversion:
        digest = digest_of([digest, sorted(names.items()), conversion, _conversion_code(conversion)])
    return PinnedModel.model_validate(
        pinned.model_dump() | {"digest": digest, "names": names, "conversion": conversion}
    )


def _conversion_code(conversion: Conversion) -> list[object]:
    """What decides, besides the files, what a conversion makes."""
    return [CONVERSION_VERSION, deciding(CONVERSION)] if conversion else []


def _rename(names: Files, folder: Path) -> None:
    for path, name in names.items():
        (folder / path).replace(folder / name)
