"""JSON: an array of objects, read an item at a time."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from finetune_runner.data.values import BadRowError, Row, kind_of
from finetune_runner.formats.errors import UnreadableFileError
from finetune_runner.formats.json_lines import BYTE_ORDER_MARK

SPACE = b" \t\r\n"
FIRST_LINE = 2**20
"""Bytes of a file's first line that are looked at."""


def read(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:  # noqa: ARG001
    """The items with their numbers, from 1.

    Raises:
        UnreadableFileError: the file holds no array, or is broken somewhere; what follows can't be told then.
    """
    import ijson  # noqa: PLC0415  only where such a file is read

    number = 0
    with file.open("rb") as content:
        if not _begins_with_array(content):
            return
        try:
            for item in ijson.items(content, "item", use_float=True):
                number += 1
                yield number, item if isinstance(item, dict) else _no_object(item)
        except (ijson.JSONError, UnicodeDecodeError, OverflowError) as error:
            raise _broken(number, _said(error)) from error


def _broken(number: int, said: str) -> UnreadableFileError:
    """What is wrong behind an item. said: by yajl, which does the parsing, and has one exception for whatever it is."""
    if said == "trailing garbage":
        why = f"something stands behind the array, which ends with item {number}"
        return UnreadableFileError(why, "Write one array; or one object a line, and set format: jsonl.")
    remedy = "Correct the file there."
    if said == "premature EOF":
        said, remedy = "the file ends in the middle", "Upload it again, or correct it there."
    elif said.endswith("overflow"):
        remedy = "Write numbers of more than 64 bits as text, in quotes."
    return UnreadableFileError(f"not JSON after item {number}: {said}", remedy)


def _said(error: Exception) -> str:
    """The text of an exception, which may be bytes, without the drawing that yajl puts below it."""
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
    return re.sub(r"^(lexical error|parse error): ", "", next(iter(text.splitlines()), ""))


def _begins_with_array(content: BinaryIO) -> bool:
    """Whether the content, from here on, is an array; False where there is nothing."""
    if content.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        content.seek(0)
    at = content.tell()
    while (byte := content.read(1)) and byte in SPACE:
        at += 1
    content.seek(at)
    if byte == b"{":
        raise _no_array(content.readline(FIRST_LINE))
    if byte and byte != b"[":
        raise UnreadableFileError("not an array of objects", "Write an array of objects, or set format.", "format")
    return bool(byte)


def _no_array(line: bytes) -> UnreadableFileError:
    """What a file is whose first line, or as much as is looked at of it, begins an object."""
    if len(line) == FIRST_LINE or _is_json(line):
        return UnreadableFileError("one object a line, which is not the format json", "Set format: jsonl.", "format")
    return UnreadableFileError("an object, not an array of objects", "Write an array of objects.")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _no_object(item: object) -> BadRowError:
    return BadRowError(f"{kind_of(item)}, not an object", 'Write rows as objects, such as {"text": "…"}.')
