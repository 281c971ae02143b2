"""What goes away is waited for, so that an outage of minutes costs minutes and not the work."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store import outages
from finetune_runner.store.object_store import Content, ObjectInfo, ObjectStore

log = logging.getLogger(__name__)

T = TypeVar("T")

OUTAGE_SECONDS = 20 * 60
"""How long one may last."""
PAUSE_SECONDS = 10.0
"""Between two tries; the client's own retries come on top."""


def patiently(work: Callable[[], T], pause_after: Callable[[FineTuneError], float | None]) -> T:
    """Does something until it works, or the outage has lasted too long.

    Args:
        work: is begun anew each time.
        pause_after: seconds until the next try after a failure; None for one that is no outage.

    Raises:
        FineTuneError: the failure that is no outage, or the last one of an outage that has no end.
    """
    began: float | None = None
    with outages.told() as tell:
        while True:
            try:
                return work()
            except FineTuneError as error:
                pause, now = pause_after(error), time.monotonic()
                began = now if began is None else began  # not when the work began, which may have taken hours
                left = began + OUTAGE_SECONDS - now
                if pause is None or left <= 0:
                    raise
                log.warning("%s Trying again, %.0f s so far", error, now - began)
                tell(str(error))
            time.sleep(min(pause, left))


class PatientStore:
    """Another store, with every request tried again while the store is unavailable. Satisfies ObjectStore.

    One that has never answered is not waited for: then rather its endpoint is wrong. A conditional write that is tried
    again may find what it has written itself.
    """

    def __init__(self, store: ObjectStore, *, proven: bool = False) -> None:
        """The store, waited for.

        Args:
            store: the one that is asked.
            proven: whether it has answered before, to another process of the same job.
        """
        self.store = store
        self.path = store.path
        self._proven = proven

    def uri(self, key: str) -> str:
        return self.store.uri(key)

    def check(self) -> None:
        self._patiently(self.store.check)

    def head(self, key: str) -> ObjectInfo | None:
        return self._patiently(lambda: self.store.head(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(self._patiently(lambda: [*self.store.list(prefix)]))

    def get(self, key: str) -> Content | None:
        return self._patiently(lambda: self.store.get(key))

    def read(self, info: ObjectInfo, size: int) -> bytes | None:
        return self._patiently(lambda: self.store.read(info, size))

    def download(self, info: ObjectInfo, target: Path) -> bool:
        return self._patiently(lambda: self.store.download(info, target))

    def upload(self, source: Path, key: str) -> None:
        self._patiently(lambda: self.store.upload(source, key))

    def put(self, key: str, data: bytes) -> None:
        self._patiently(lambda: self.store.put(key, data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._patiently(lambda: self.store.put_if_absent(key, data))

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        return self._patiently(lambda: self.store.put_if_match(key, data, etag))

    def copy_from(self, other: ObjectStore, source: ObjectInfo, key: str, sha256: str) -> bool:
        actual = other.store if isinstance(other, PatientStore) else other
        return self._patiently(lambda: self.store.copy_from(actual, source, key, sha256))

    def delete(self, key: str) -> None:
        self._patiently(lambda: self.store.delete(key))

    def _patiently(self, work: Callable[[], T]) -> T:
        answer = patiently(work, self._pause_after)
        self._proven = True
        return answer

    def _pause_after(self, error: FineTuneError) -> float | None:
        return PAUSE_SECONDS if self._proven and error.reason is Reason.STORE_UNAVAILABLE else None


def hasty(store: ObjectStore) -> ObjectStore:
    """The store without patience, for what is not worth waiting."""
    return store.store if isinstance(store, PatientStore) else store
