"""Who may do what at the same time.

Several people and tests share one storage. Different images may be built at once; the same
image, base or environment is made once while the others wait; and layers are pruned only
while nobody builds or loads, since pruning takes layers from under them.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from images import places
from images.talk import say


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Wait until nobody else makes the thing of that name."""
    with open_lock(name) as file:
        if not taken(file, fcntl.LOCK_EX):
            say(f"waiting for another process to finish {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def using_storage() -> Iterator[None]:
    """Keep others from pruning; waits for a pruning in progress, which takes seconds."""
    with open_lock("storage") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def alone_in_storage() -> Iterator[bool]:
    """Yield whether nobody else uses the storage; then nobody begins to before this ends."""
    with open_lock("storage") as file:
        yield taken(file, fcntl.LOCK_EX)


def open_lock(name: str) -> IO[str]:
    places.locks_dir().mkdir(parents=True, exist_ok=True)
    return (places.locks_dir() / f"{name}.lock").open("w")


def taken(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
