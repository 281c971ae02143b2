"""What an operator's liveness is judged by: that its watches are begun anew, and that its rounds come to an end."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from finetune_operator.observe import Key

ROUND_SECONDS = 600
"""How long a round of work on a job may take: some calls, each with a time limit of its own."""


class Vitals:
    """When what was last done, by a clock that never goes back.

    An API server that does not answer is none of the operator's troubles: a watch is late only by the time for which
    the API server has listed all jobs whenever it was asked to.
    """

    def __init__(
        self, watches: Iterable[str], watch_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """A new operator, all of whose watches count as begun now.

        Args:
            watches: what is to be watched, as `watch_of` names it.
            watch_seconds: for how long a watch may go on without being begun anew.
            clock: in seconds.
        """
        self._clock, self._watch_seconds = clock, watch_seconds
        self._begun = dict.fromkeys(watches, clock())
        self._answers: tuple[float, float] | None = None
        self._rounds: dict[Key, float] = {}

    def begun(self, watch: str) -> None:
        """The API server has taken a request to watch."""
        self._begun[watch] = self._clock()

    def answered(self) -> None:
        """The API server has listed all jobs."""
        now = self._clock()
        self._answers = (self._answers or (now, now))[0], now

    def unanswered(self) -> None:
        """It has not."""
        self._answers = None

    @contextmanager
    def round(self, key: Key) -> Iterator[None]:
        """While a worker works on a job."""
        self._rounds[key] = self._clock()
        try:
            yield
        finally:
            del self._rounds[key]

    def troubles(self) -> list[str]:
        """What is so wrong that a new process would do better; nothing else is."""
        return [*self._late_watches(), *self._endless_rounds()]

    def _late_watches(self) -> Iterator[str]:
        if self._answers is None:
            return
        since, last = self._answers
        for watch, begun in self._begun.items():
            late = last - max(begun, since)
            if late > self._watch_seconds:
                yield f"the watch of {watch} was not begun anew for {late:.0f} s, though the API server answers"

    def _endless_rounds(self) -> Iterator[str]:
        now = self._clock()
        for (namespace, name), begun in self._rounds.items():
            if now - begun > ROUND_SECONDS:
                yield f"the work on {namespace}/{name} has taken {now - begun:.0f} s"


def watch_of(path: str) -> str:
    """What a request's path asks for: pods of all namespaces → pods; of one → namespaces/team/pods."""
    _, found, rest = path.partition("/namespaces/")
    return f"namespaces/{rest}" if found else path.rpartition("/")[2]


def watches_of(plurals: Iterable[str], namespaces: Iterable[str]) -> list[str]:
    """What is watched of the namespaces; of none: of all."""
    places = [f"namespaces/{namespace}/" for namespace in namespaces] or [""]
    return [f"{place}{plural}" for plural in plurals for place in places]
