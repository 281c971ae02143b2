"""From the API server's Events to the newest warning about an object. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from finetune_operator.observed import Warned

Wire = Mapping[str, Any]


def newest_warning(events: Iterable[Wire]) -> Warned | None:
    """The warning that was said last; None where there is none."""
    found = [_read(event) for event in events if event.get("type") == "Warning"]
    return max(found, key=lambda warned: warned.said_at, default=None)


def _read(event: Wire) -> Warned:
    """An event that repeats itself has its last time in one of two places, by the API that it was written with."""
    series = event.get("series") or {}
    said_at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""
    return Warned(event.get("reason") or "", " ".join((event.get("message") or "").split()), said_at)
