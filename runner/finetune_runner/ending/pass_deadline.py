"""A pass's own deadline: when it is over, the process is asked to stop, and made to where it doesn't hear.

Asked, as by the kubelet, so that a tuning pass keeps a checkpoint, from which a job with a later deadline goes on.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from finetune_api.failures import FineTuneError
from finetune_runner.ending import interruption
from finetune_runner.ending.giving_up import give_up
from finetune_runner.ending.interruption import Interrupted, resurfacing


@contextmanager
def ended_after(seconds: float | None, failure: FineTuneError, *, grace_seconds: float) -> Iterator[None]:
    """A block of the main thread that may take only so long.

    Args:
        seconds: how long; None: as long as it takes.
        failure: what it is when its time is over.
        grace_seconds: from being asked to stop until the process ends, whatever it is at.

    Raises:
        FineTuneError: that failure.
        Interrupted: the process was asked to stop by somebody else.
    """
    if seconds is None:
        with resurfacing():
            yield
        return
    watch = _Watch(seconds, failure, grace_seconds)
    try:
        with watch, resurfacing():
            yield
    except Interrupted as stopped:
        if watch.struck:
            raise failure from stopped
        raise


class _Watch:
    """A thread that keeps the time."""

    def __init__(self, seconds: float, failure: FineTuneError, grace_seconds: float) -> None:
        self._seconds = seconds
        self._failure = failure
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.struck = False
        """Whether it was this that asked the process to stop."""

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()

    def _watch(self) -> None:
        if self._over.wait(self._seconds):
            return
        with self._lock:
            if self._over.is_set() or interruption.requested():
                return
            self.struck = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        if not self._over.wait(self._grace_seconds):
            give_up(self._failure)
