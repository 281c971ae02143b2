"""How long a step takes, learned as it goes, and when one has taken far too long."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable

FACTOR = 20
"""Times the median step."""
LEAST_SECONDS = 600.0
"""Before that nothing is called a stall."""
KNOWN_STEPS = 5
"""The first few also compile, allocate and read."""
UNKNOWN_SECONDS = 3600.0
"""What each of those may take."""
WINDOW = 50
"""Steps that the median is of."""


class StepWatch:
    """Learns how long a step takes, and says when one has taken far too long."""

    def __init__(self, stalled: Callable[[float, float], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Watches nothing until a step begins.

        Args:
            stalled: given the seconds that the step has taken, and those that it may.
            clock: in seconds.
        """
        self._stalled = stalled
        self._clock = clock
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._begun: float | None = None
        self._change = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="stall", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin(self) -> None:
        """A step begins."""
        with self._change:
            if self._begun is None:
                self._begun = self._clock()
            self._change.notify()

    def end(self) -> None:
        """It ended; until the next one begins nothing is watched."""
        with self._change:
            if self._begun is not None:
                self._seconds.append(self._clock() - self._begun)
            self._begun = None
            self._change.notify()

    def stop(self) -> None:
        """Training is over."""
        with self._change:
            self._over = True
            self._change.notify()

    @property
    def limit(self) -> float:
        """Seconds that a step may take."""
        if len(self._seconds) < KNOWN_STEPS:
            return max(UNKNOWN_SECONDS, LEAST_SECONDS)
        return max(FACTOR * statistics.median(self._seconds), LEAST_SECONDS)

    def overdue(self) -> bool:
        """Whether the running step has taken too long."""
        return self._begun is not None and self._clock() - self._begun >= self.limit

    def _watch(self) -> None:
        with self._change:
            while not self._over:
                if self.overdue():
                    self._stalled(self._clock() - (self._begun or 0), self.limit)
                    return
                self._change.wait(self._left())

    def _left(self) -> float | None:
        """Seconds until the running step is overdue; None where none is watched."""
        return None if self._begun is None else self._begun + self.limit - self._clock()
