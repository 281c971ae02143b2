"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import Any

import pytest


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What the condition comes to; the test fails when that is nothing for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} has not come")
