"""JSON: an array of objects, read an item at a time."""

import json
import os
from collections.abc import Collection, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from finetune_runner.data.values import BadRowError, Row, is_text
from finetune_runner.formats.errors import UnreadableFileError
from finetune_runner.formats.json_items import items_of
from finetune_runner.formats.json_lines import BYTE_ORDER_MARK
from finetune_runner.formats.json_row import NOT_UTF_8_REMEDY, row_of

SPACE = b" \t\r\n"
FIRST_LINE = 2**20
"""Bytes of a file's first line that are looked at."""


def read(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:  # noqa: ARG001
    """The items with their numbers, from 1.

    Raises:
        UnreadableFileError: the file holds no array, or is broken somewhere; what follows can't be told then.
    """
    with file.open("rb") as content:
        if not _begins_with_array(content):
            return
        content.seek(1, os.SEEK_CUR)
        text = TextIOWrapper(content, "utf-8", errors="surrogateescape", newline="")
        for number, (item, source) in enumerate(items_of(text), start=1):
            # Bytes that are not UTF-8 have become half surrogate pairs, which nothing else in the source can be.
            yield number, row_of(item) if is_text(source) else BadRowError("not UTF-8", NOT_UTF_8_REMEDY)


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
