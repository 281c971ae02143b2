"""Processes that tests start and stop."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running(command: list[Any], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that is gone afterwards; a test that fails meanwhile does not wait for what has no end.

    Args:
        command: to start.
        how: subprocess.Popen's other arguments.
    """
    with subprocess.Popen(command, **how) as process:
        try:
            yield process
        finally:
            process.kill()
