"""JSON Lines: an object a line."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from finetune_runner.data.values import BadRowError, Row, kind_of

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REMEDY = "Write one JSON object a line."


def read(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:  # noqa: ARG001
    """The rows with their lines; empty lines are none."""
    with file.open("rb") as lines:  # bytes: U+2028, at which text might be split, may stand inside a string
        for number, line in enumerate(lines, start=1):
            content = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if content.strip():
                yield number, _row(content, first=number == 1)


def _row(line: bytes, *, first: bool) -> Row | BadRowError:
    try:
        value = json.loads(line.decode().rstrip())
    except UnicodeDecodeError as error:
        return BadRowError(f"not UTF-8: byte {error.start}", "Save the file as UTF-8.")
    except json.JSONDecodeError as error:
        return BadRowError(f"not JSON: {error.msg} (column {error.colno})", REMEDY)
    except (ValueError, RecursionError) as error:
        return BadRowError(f"not readable: {error}", REMEDY)
    if isinstance(value, list) and first:
        return BadRowError("an array, not an object", "Write one JSON object a line, or set format: json.")
    if not isinstance(value, dict):
        return BadRowError(f"{kind_of(value)}, not an object", 'Write rows as objects, such as {"text": "…"}.')
    return value
