"""A child process whose lines are logged, and which never outlives the pass that started it."""

import logging
import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TAIL_LINES = 12
GRACE_SECONDS = 10.0

log = logging.getLogger(__name__)


class ChildFailedError(Exception):
    """The child ended with something else than 0."""

    def __init__(self, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"ended with {_words(status)}")
        self.status = status
        """Exit code, or minus the number of the signal that ended it."""
        self.tail = list(tail)
        """Its last lines."""


def run_logged(command: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]) -> None:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        environment: variables besides this process's own.
        on_line: called with each line of stdout and stderr; a carriage return ends a line too.

    Raises:
        ChildFailedError: it ended with something else than 0.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        text=True,
        errors="replace",
    ) as child:
        try:
            for line in child.stdout or ():
                if text := line.strip():
                    log.debug("%s", text)
                    tail.append(text)
                    on_line(text)
            status = child.wait()
        finally:
            end(child, GRACE_SECONDS)
    if status:
        raise ChildFailedError(status, tail)


def end(child: subprocess.Popen[Any], grace_seconds: float) -> None:
    """Ends a child that still runs, which is so when an exception unwinds."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        child.kill()


def _words(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit code {status}"
