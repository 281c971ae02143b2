"""Ages and sizes as people write and read them."""

import re
from typing import Any

import click

SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
UNITS = ("B", "KiB", "MiB", "GiB")
STEP = 1024


class Age(click.ParamType[float]):
    """30d, 12h, 90m or 2w, in seconds."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,6})([mhdw])", str(value))
        if not found:
            self.fail(f"{value!r} is not a number with m, h, d or w, such as 30d", param, ctx)
        return float(int(found[1]) * SECONDS[found[2]])


def age_in_words(seconds: float) -> str:
    """The largest unit that fits: 45d, 3h, 12m."""
    for unit in ("d", "h"):
        if seconds >= SECONDS[unit]:
            return f"{seconds // SECONDS[unit]:.0f}{unit}"
    return f"{max(0.0, seconds) // SECONDS['m']:.0f}m"


def size_in_words(size: float) -> str:
    """Bytes in the largest unit that fits: 512 B, 1.5 GiB."""
    for unit in UNITS[:-1]:
        if size < STEP:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= STEP
    return f"{size:.1f} {UNITS[-1]}"
