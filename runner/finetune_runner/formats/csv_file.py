"""CSV with a header. Every value is text, as it stands in the file: 007 stays 007."""

import csv
from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from finetune_runner.data.values import BadRowError, Row
from finetune_runner.formats.errors import UnreadableFileError

Reader = Any
"""Of the csv module, which gives its readers no public name."""
LONGEST_FIELD = 2**26
"""Characters: beyond it, a quote is missing."""
REMEDY = "Write a quote inside of quotes twice."


def read(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:
    """The rows with the lines they begin at; empty lines are none, and fields missing at a row's end are null.

    Raises:
        UnreadableFileError: the file is not UTF-8, or its header names a column twice that is needed.
    """
    csv.field_size_limit(LONGEST_FIELD)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            yield from _rows(reader, columns)
        except UnicodeDecodeError as error:
            why = f"not UTF-8 after line {reader.line_num}"
            raise UnreadableFileError(why, "Save the file as UTF-8.") from error


def _rows(reader: Reader, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:
    header = _header(reader, columns)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield line, BadRowError(f"not CSV: {error}", REMEDY)
            why = f"lost with line {line}, where a quote is missing or misplaced"
            yield from ((lost, BadRowError(why, REMEDY)) for lost in range(line + 1, reader.line_num + 1))
            continue
        if fields is None:
            return
        if fields:
            yield line, _row(header, fields)


def _header(reader: Reader, columns: Collection[str]) -> list[str]:
    try:
        header: list[str] = next(reader, [])
    except csv.Error as error:
        raise UnreadableFileError(
            f"the header is not CSV: {error}", "Begin the file with the columns' names."
        ) from error
    for column in columns:
        if header.count(column) > 1:
            raise UnreadableFileError(
                f"the header names column {column!r} twice", "Give each column a name of its own."
            )
    return header


def _row(header: list[str], fields: list[str]) -> Row | BadRowError:
    if len(fields) > len(header):
        why = f"{len(fields)} fields, but the header names {len(header)}"
        return BadRowError(why, "Put fields that hold a comma into quotes.")
    return dict(zip_longest(header, fields))
