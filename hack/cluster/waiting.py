"""Waits for a condition to hold; nothing here sleeps for a fixed time and hopes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.1


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds; ClusterError names what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: still not so after {seconds:.0f} s")
        time.sleep(PAUSE)
