"""What is wrong with spec.inputModel beyond its schema. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.input_model import InputModel

PATH = "spec.inputModel"
PATTERN_SIGNS = frozenset("*?[]{}")


def input_model_problems(model: InputModel) -> Iterator[Problem]:
    """What is wrong with how the model is to be read."""
    if model.gguf_file:
        yield from _file_problems(model)
    is_gguf = model.format == "gguf" or bool(model.gguf_file)
    if model.allow_pickle and is_gguf:
        yield Problem(f"{PATH}.allowPickle", "has no meaning for a .gguf file, which is not pickled", "leave it out")


def _file_problems(model: InputModel) -> Iterator[Problem]:
    path, name = f"{PATH}.ggufFile", model.gguf_file
    if model.format not in ("auto", "gguf"):
        yield Problem(path, f"has no meaning with format {model.format}", "set format: gguf, or leave it out")
    if PATTERN_SIGNS & set(name):
        yield Problem(path, f"{name!r} is a pattern, and one file is needed", "write the file's whole name")
    elif not name.endswith(".gguf"):
        yield Problem(path, f"{name!r} does not end with .gguf", "name a .gguf file of the source")
    elif name.startswith("/") or ".." in name.split("/"):
        yield Problem(path, f"{name!r} is not a path below the source", "write it relative to the source")
