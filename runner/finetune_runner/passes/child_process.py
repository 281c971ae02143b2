"""A child process whose lines are logged, and which never outlives the pass that started it."""

import logging
import math
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

TAIL_LINES = 12
GRACE_SECONDS = 10.0
KILLED = -9
"""Status of a child that was ended outright, which is what happens when the pod's memory runs out."""

log = logging.getLogger(__name__)


class ChildFailedError(Exception):
    """The child ended with something else than 0."""

    def __init__(self, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"ended with {_words(status)}")
        self.status = status
        """Exit code, or minus the number of the signal that ended it."""
        self.tail = list(tail)
        """Its last lines."""


class ChildSilentError(ChildFailedError):
    """The child was ended since it had said nothing for too long."""

    def __init__(self, status: int, tail: Sequence[str], seconds: float) -> None:
        super().__init__(status, tail)
        self.args = (f"said nothing for {seconds:g} seconds and was ended",)


def run_logged(
    command: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    silent_seconds: float = math.inf,
) -> None:
    """Runs a command to its end.

    Args:
        command: program and arguments.
        environment: variables besides this process's own.
        on_line: called with each line of stdout and stderr; a carriage return ends a line too.
        silent_seconds: without a line after which it is taken to hang, and is ended.

    Raises:
        ChildFailedError: it ended with something else than 0.
        ChildSilentError: it was taken to hang.
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
            with _Silence(child, silent_seconds) as silence:
                for line in child.stdout or ():
                    silence.broken()
                    if text := line.strip():
                        log.debug("%s", text)
                        tail.append(text)
                        on_line(text)
            status = child.wait()
        finally:
            end(child, GRACE_SECONDS)
    if silence.was_too_long:
        raise ChildSilentError(status, tail, silent_seconds)
    if status:
        raise ChildFailedError(status, tail)


class _Silence:
    """Ends a child that says nothing for too long."""

    def __init__(self, child: subprocess.Popen[Any], seconds: float) -> None:
        self.was_too_long = False
        self._child = child
        self._seconds = seconds
        self._since = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def broken(self) -> None:
        """The child has said something."""
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(min(max(0.0, self._left()), threading.TIMEOUT_MAX)):
            if self._left() <= 0:
                self.was_too_long = True
                end(self._child, GRACE_SECONDS)
                return

    def _left(self) -> float:
        return self._since + self._seconds - time.monotonic()


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
