"""Times, sizes and columns as people read them. Pure."""

from collections.abc import Sequence
from datetime import datetime

UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
SIZES = ("bytes", "KiB", "MiB", "GiB", "TiB")


def moment(text: str | None) -> datetime | None:
    """A time of status (RFC 3339); None where there is none."""
    return datetime.fromisoformat(text) if text else None


def duration(seconds: float) -> str:
    """In its two largest units: 3725 → 1 h 2 min."""
    left, parts = max(0, round(seconds)), list[str]()
    for size, name in UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
        if len(parts) == 2:  # noqa: PLR2004
            break
    return " ".join(part for part in parts if part) or "0 s"


def age(seconds: float) -> str:
    """In its largest unit, for a narrow column: 45d, 3h, 12m."""
    for count, unit in ((86400, "d"), (3600, "h")):
        if seconds >= count:
            return f"{seconds // count:.0f}{unit}"
    return f"{max(0.0, seconds) // 60:.0f}m"


def between(begin: datetime | None, end: datetime | None) -> str:
    """How long something took; empty where that is not known."""
    return duration((end - begin).total_seconds()) if begin and end else ""


def size(count: int) -> str:
    """Bytes, in the largest unit that leaves a number above 1."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(SIZES) - 1:  # noqa: PLR2004
        amount, unit = amount / 1024, unit + 1
    return f"{count} bytes" if unit == 0 else f"{amount:.2f} {SIZES[unit]}"


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines, all but the last column as wide as their widest cell."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)] if rows else []
    return [
        (indent + "".join(f"{cell:{width}}  " for cell, width in zip(row[:-1], widths, strict=True)) + row[-1]).rstrip()
        for row in rows
    ]
