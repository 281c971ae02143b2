"""A queue of keys: each once, never two workers on one key, failures later and later."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 300.0


class WorkQueue(Generic[K]):
    """Keys that wait for a worker. To be used within one event loop."""

    def __init__(self) -> None:
        self._ready: dict[K, None] = {}
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Keys that no worker has taken yet."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Work on a key soon; once more after the present work, if it is being worked on."""
        if key in self._working:
            self._again.add(key)
            return
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: K, seconds: float | None) -> None:
        """Work on a key later; replaces an earlier appointment. None: no appointment."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if seconds is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    async def take(self) -> K:
        """The key that has waited longest; finish it with done or failed."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        self._working.add(key)
        return key

    def done(self, key: K, again_after: float | None = None) -> None:
        """The work on a key went well."""
        self._failures.pop(key, None)
        self.add_after(key, again_after)
        self._release(key)

    def failed(self, key: K) -> float:
        """The work on a key failed: it is repeated after a delay that doubles each time, in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = float(min(FIRST_BACKOFF_SECONDS * 2 ** min(failures, 20), LAST_BACKOFF_SECONDS))
        self.add_after(key, delay)
        self._again.discard(key)
        self._release(key)
        return delay

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _release(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
