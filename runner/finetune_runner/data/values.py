"""A row's values as text, and what makes a row unusable. Pure."""

import math
from collections.abc import Mapping

Row = Mapping[str, object]
"""Column to value, as JSON has them."""


class BadRowError(ValueError):
    """A row that can't be used: what is wrong with it, what to do, and the place in the spec that asks for it."""

    def __init__(self, why: str, remedy: str, path: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.path = path


def value_of(row: Row, column: str, path: str) -> object:
    """A column's value, which may be null.

    Raises:
        BadRowError: there is no such column.
    """
    if column not in row:
        names = ", ".join(str(name) for name in row) or "none"
        there_is = names.encode(errors="backslashreplace").decode()
        raise BadRowError(f"no column {column!r}", f"The columns there are: {there_is}.", path)
    return row[column]


def given(row: Row, column: str, path: str) -> object:
    """A column's value, which must not be null.

    Raises:
        BadRowError: it is, or there is no such column.
    """
    value = value_of(row, column, path)
    if value is None:
        raise BadRowError(f"column {column!r} is null", "Fill it in or remove the row.", path)
    return value


def text_of(row: Row, column: str, path: str) -> str:
    """A column's value as text: numbers and booleans as JSON writes them.

    Raises:
        BadRowError: it is null, an array or an object, or no finite number; or there is no such column.
    """
    value = given(row, column, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRowError(f"column {column!r} is no finite number", "Fill it in or remove the row.", path)
    if isinstance(value, (str, int, float)):
        return str(value)
    raise BadRowError(f"column {column!r} is {kind_of(value)}", "Columns must hold text or numbers.", path)


def is_text(value: str) -> bool:
    """Whether it holds no half of a surrogate pair, as escapes in JSON can write it, but no encoding."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def kind_of(value: object) -> str:
    """What a value is, in JSON's words."""
    if isinstance(value, Mapping):
        return "an object"
    names = {list: "an array", str: "a string", bool: "a boolean", bytes: "binary", type(None): "null"}
    return names.get(type(value), "a number")
