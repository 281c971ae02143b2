"""The loader that an Olive config names → format of a data config. Pure."""

import json
from pathlib import PurePosixPath

from finetune_cli.olive.context import Context
from finetune_cli.olive.section import Sourced

LOADERS = frozenset({"json", "csv", "parquet", "arrow", "text"})
"""Names of a data set that say how files are read."""
LINES = (".jsonl", ".ndjson")
BOTH = "Olive reads an array and an object a line alike"


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
    first = next((file.value for file in files if isinstance(file.value, str)), "")
    suffix = PurePosixPath(first).suffix.lower()
    if suffix in LINES or not suffix:
        return None
    begin = _begin(first, context)
    told = "json" if suffix == ".json" else ""
    if not begin and told:
        remedy = "where a line holds an object, set format: jsonl"
        context.ledger.note(loader.steps, f"{BOTH}; here a .json file is taken to hold an array", remedy)
        return None
    found = "json" if begin.startswith("[") else "jsonl"
    return None if found == told else Sourced(found, loader.steps)


def _begin(path: str, context: Context) -> str:
    """A file's first line; of an object over several lines the bracket that tells an array."""
    there = path if context.files.kind(path) == "file" else next(iter(context.files.matching(path)), "")
    text = (context.files.text(there) or "").lstrip("\ufeff \t\r\n") if there else ""
    line = text.partition("\n")[0]
    try:
        json.loads(line)
    except ValueError:
        return "[" if text else ""
    return line
