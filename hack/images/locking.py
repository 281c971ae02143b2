"""One command at a time: pruning in one would take layers from under another."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from images import places
from images.talk import say


@contextmanager
def exclusive() -> Iterator[None]:
    places.cache_dir().mkdir(parents=True, exist_ok=True)
    with places.lock_file().open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
