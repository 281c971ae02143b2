"""Rows from files: JSON (an array of objects) or JSON Lines (an object a line). Pure but for reading the files."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason

Row = dict[str, object]
Wanted = Callable[[str], bool]
SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
NAMED = 3
"""Files named in a message."""


def is_wanted(name: str) -> bool:
    """Whether a file among others holds rows, by its name."""
    return Path(name).suffix in SUFFIXES


def matching(patterns: Sequence[str]) -> Wanted:
    """Whether a file matches one of several glob patterns."""
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


def read_rows(folder: Path, names: Iterable[str], declared: str, path: str) -> list[Row]:
    """The rows of all files, in order of the files' names.

    Args:
        folder: where the files lie.
        names: their paths in it.
        declared: the data config's format: auto, json or jsonl.
        path: the data config's place in the spec, such as spec.dataConfigs[0].

    Raises:
        FineTuneError: DatasetInvalid, naming file, line and what is wrong; also when there are no rows at all.
    """
    ordered = sorted(names)
    rows = [row for name in ordered for row in parse(name, (folder / name).read_bytes(), declared, path)]
    if not rows:
        message = f"the data set has no rows: {', '.join(ordered[:NAMED])} holds none"
        raise _invalid(message, "Put rows into it, or point to another file.", f"{path}.source")
    return rows


def parse(name: str, data: bytes, declared: str, path: str) -> list[Row]:
    """The rows of one file; may be none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(f"{name} is not UTF-8: byte {error.start}", "Save it as UTF-8.", f"{path}.source") from error
    if _format(name, declared, path) == "json":
        return _json_rows(name, text, path)
    return list(_jsonl_rows(name, text, path))


def _format(name: str, declared: str, path: str) -> str:
    found = declared if declared != "auto" else SUFFIXES.get(Path(name).suffix, "")
    if not found:
        message = f"the format of {name} can't be told from its name"
        raise _invalid(message, "Set format to json or jsonl.", f"{path}.format")
    return found


def _json_rows(name: str, text: str, path: str) -> list[Row]:
    if not text.strip():
        return []
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_json(name, text, error, path) from error
    if not isinstance(document, list):
        remedy = "Write an array of objects, or set format: jsonl for one object a line."
        raise _invalid(f"{name} holds {_kind(document)}, not an array of objects", remedy, f"{path}.source")
    return [_object(item, f"item {number} of {name}", path) for number, item in enumerate(document, start=1)]


def _not_json(name: str, text: str, error: json.JSONDecodeError, path: str) -> FineTuneError:
    if error.msg == "Extra data" and text.lstrip().startswith("{"):
        message = f"{name} has one object a line, which is not the format json"
        return _invalid(message, "Set format: jsonl.", f"{path}.format")
    message = f"{name}, line {error.lineno}, column {error.colno}: {error.msg}"
    return _invalid(message, "Correct the line.", f"{path}.source")


def _jsonl_rows(name: str, text: str, path: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: U+2028 may stand inside a string
        if not line.strip():
            continue
        where = f"line {number} of {name}"
        try:
            yield _object(json.loads(line), where, path)
        except json.JSONDecodeError as error:
            message = f"{where} is not JSON: {error.msg} (column {error.colno})"
            raise _invalid(message, "Write one JSON object a line.", f"{path}.source") from error


def _object(item: object, where: str, path: str) -> Row:
    if not isinstance(item, dict):
        message = f"{where} is {_kind(item)}, not an object"
        raise _invalid(message, 'Write rows as objects, such as {"text": "…"}.', f"{path}.source")
    return item


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _invalid(message: str, remedy: str, path: str) -> FineTuneError:
    return FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=path)
