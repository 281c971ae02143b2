"""Say what happens, on standard error, so that standard output carries only the answer."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(message: str) -> None:
    print(f"images: {message}", file=sys.stderr, flush=True)


@contextmanager
def step(message: str, expected: str) -> Iterator[None]:
    """Announce a step with how long it may take, and report how long it took."""
    say(f"{message} (may take {expected})")
    begin = time.monotonic()
    yield
    say(f"{message}: done in {time.monotonic() - begin:.0f} s")
