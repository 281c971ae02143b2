"""The loader that an Olive config names → format of a data config. Pure."""

import json
from pathlib import PurePosixPath

from finetune_cli.olive.context import Context
from finetune_cli.olive.section import Sourced

LOADERS = frozenset({"json", "csv", "parquet", "arrow", "text"})
"""Names of a data set that say how files are read."""
LINES = (".jsonl", ".ndjson")
BOTH = "Olive reads an array and an object a line alike"
TOLD_ARRAY = (
    f"{BOTH}; here a .json file is taken to hold an array",
    "where a line holds an object, set format: jsonl",
)
UNTOLD = (f"{BOTH}; here an object a line is expected", "for an array set format: json")
TOLD_BY_NAME = (
    f"{BOTH}; here the files' names tell which it is",
    "set format: json or jsonl where they do not",
)


def format_of(loader: Sourced | None, files: list[Sourced], context: Context) -> Sourced | None:
    """None where the files' names tell it."""
    if loader is None:
        return None
    name = loader.value.lower()
    if name == "text":
        message, remedy = "lines of text are no rows", 'write them as JSON Lines, such as {"text": …}'
        context.ledger.not_carried(loader.steps, message, remedy)
        return None
    if name != "json":
        return Sourced(name, loader.steps)
    return _json(loader, files, context)


def _json(loader: Sourced, files: list[Sourced], context: Context) -> Sourced | None:
    """Looks into the first file, if it is there."""
    first = next(map(_path, files), "")
    suffix = PurePosixPath(first).suffix.lower()
    if suffix in LINES or context.files.kind(first) == "folder":
        return None
    beginning = _beginning(first, context)
    told = "json" if suffix == ".json" else ""
    if not beginning:
        context.ledger.note(loader.steps, *(TOLD_ARRAY if told else UNTOLD if suffix else TOLD_BY_NAME))
    if not beginning and (told or not suffix):
        return None
    found = "jsonl" if _is_lines(beginning) else "json"
    return None if found == told else Sourced(found, loader.steps)


def _path(file: Sourced) -> str:
    """As it is written, or as Azure ML's object has it; empty where there is none."""
    if not isinstance(file.value, dict):
        return file.value if isinstance(file.value, str) else ""
    inner = file.value.get("config")
    path = {**file.value, **(inner if isinstance(inner, dict) else {})}.get("relative_path")
    return path if isinstance(path, str) else ""


def _beginning(path: str, context: Context) -> str:
    """What is looked at of a file, from its first character on; empty where it is not there."""
    there = path if context.files.kind(path) == "file" else next(iter(context.files.matching(path)), "")
    return (context.files.text(there) or "").lstrip("\ufeff \t\r\n") if there else ""


def _is_lines(beginning: str) -> bool:
    """Whether a line is an object: not in an array, nor where an object goes on over several lines.

    The first line may be longer than what is looked at.
    """
    line, ends, _ = beginning.partition("\n")
    if line.startswith("["):
        return False
    return not ends or _is_json(line)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
