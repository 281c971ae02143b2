"""One demo at a time on a machine: another would take away the job that this one watches, and its result."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cluster import neighbours

from demo.commands import CLUSTER, DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".demo-runs.lock"
"""Beside those of the clusters, whose names begin with no dot; holds the number of the process."""


@contextmanager
def alone() -> Iterator[None]:
    """Keeps others out for as long as the block, or this process, lasts.

    Raises:
        DemoError: a demo is running.
    """
    neighbours.LOCKS.mkdir(parents=True, exist_ok=True)
    with (neighbours.LOCKS / LOCK).open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise DemoError(_told(handle.read())) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _told(process: str) -> str:
    """process: empty where it has taken the lock and not yet written its number."""
    who = f"process {process}" if process else "another process"
    return (
        f"a demo is running on this machine already ({who}), and two would share the cluster {CLUSTER!r} and its job: "
        f"wait until it has ended, or end it with Ctrl-C where it runs; then run this again"
    )
