"""JSON Lines: an object a line."""

import json
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from finetune_runner.data.values import BadRowError, Row
from finetune_runner.formats.errors import UnreadableFileError
from finetune_runner.formats.json_row import (
    LONG_NUMBER,
    LONG_NUMBER_REMEDY,
    LONGEST,
    NOT_UTF_8_REMEDY,
    TOO_DEEP,
    TOO_DEEP_REMEDY,
    TOO_LONG,
    row_of,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REMEDY = "Write one JSON object a line."
REMEDY_OF_ARRAYS = "Write one JSON object a line, or set format: json."


def read(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:  # noqa: ARG001
    """The rows with their lines; empty lines are none.

    Raises:
        UnreadableFileError: a line has no end.
    """
    with file.open("rb") as content:  # bytes: U+2028, at which text might be split, may stand inside a string
        for number, line in enumerate(iter(partial(content.readline, LONGEST + 1), b""), start=1):
            if len(line) > LONGEST:
                raise UnreadableFileError(f"line {number} {TOO_LONG}", REMEDY_OF_ARRAYS)
            row = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if row.strip():
                yield number, _row(row, first=number == 1)


def _row(line: bytes, *, first: bool) -> Row | BadRowError:
    try:
        value = json.loads(line.decode().rstrip())
    except UnicodeDecodeError as error:
        return BadRowError(f"not UTF-8: byte {error.start}", NOT_UTF_8_REMEDY)
    except json.JSONDecodeError as error:
        return BadRowError(f"not JSON: {error.msg} (column {error.colno})", REMEDY)
    except RecursionError:
        return BadRowError(TOO_DEEP, TOO_DEEP_REMEDY)
    except ValueError:
        return BadRowError(LONG_NUMBER, LONG_NUMBER_REMEDY)
    if isinstance(value, list) and first:
        return BadRowError("an array, not an object", REMEDY_OF_ARRAYS)
    return row_of(value)
