"""What this process waits for, since it does not answer: told in its progress while that lasts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TOLD_AFTER_SECONDS = 30
"""What is over sooner is no news."""


@dataclass(frozen=True)
class Lasting:
    """An outage that is not over."""

    since: float
    """Seconds since 1970."""
    message: str


_lasting: dict[object, Lasting] = {}
"""Those of all threads."""


@contextmanager
def told() -> Iterator[Callable[[str], None]]:
    """Gives what tells of an outage; its first word counts, and it ends with the block."""
    key = object()

    def tell(message: str) -> None:
        _lasting.setdefault(key, Lasting(time.time(), message))

    try:
        yield tell
    finally:
        _lasting.pop(key, None)


def current(now: float | None = None) -> Lasting | None:
    """The outage that has lasted longest, if that is long; now: seconds since 1970."""
    until = time.time() if now is None else now
    old = [found for found in list(_lasting.values()) if until - found.since >= TOLD_AFTER_SECONDS]
    return min(old, key=lambda found: found.since, default=None)
