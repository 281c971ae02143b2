"""From the API server's Events to the newest warning about an object. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from finetune_operator.conditions import moment
from finetune_operator.observed import Warned

Wire = Mapping[str, Any]

FRESH = timedelta(minutes=6)
"""What still holds is said again: by the Job controller every minute, by the kubelet every two, of which clients let
one event in five minutes through."""


def newest_warning(events: Iterable[Wire], now: datetime) -> Warned | None:
    """The warning that was said last, if that was lately; None where there is none."""
    found = [_read(event) for event in events if event.get("type") == "Warning"]
    lately = [warned for warned in found if warned.said_at and now - moment(warned.said_at) <= FRESH]
    return max(lately, key=lambda warned: moment(warned.said_at), default=None)


def _read(event: Wire) -> Warned:
    """An event that repeats itself has its last time in one of two places, by the API that it was written with."""
    series = event.get("series") or {}
    said_at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""
    return Warned(event.get("reason") or "", " ".join((event.get("message") or "").split()), said_at)
