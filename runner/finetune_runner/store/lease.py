"""Who makes an output: a lease beside it, so that of several jobs that want the same one, one makes it.

<namespace>/cache/<key>/lease.json   created, renewed and taken over by conditional writes

It saves work and decides nothing: which output counts, the commit decides. As in client-go's leader election
(https://pkg.go.dev/k8s.io/client-go/tools/leaderelection) a lease has expired once whoever looks at it has seen it
unchanged for the time that it names, by a clock of its own; so no two clocks are compared. Only a time with looks in it
counts: while the store is away its owner can't renew it either.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.base import Model
from finetune_runner.store.commit import Cache
from finetune_runner.store.object_store import Content
from finetune_runner.store.patience import hasty

log = logging.getLogger(__name__)

LEASE = "lease.json"
SECONDS = 60
"""How long one holds unless it is renewed."""
RENEWALS = 3
"""In that time."""
MOST_SECONDS = 600
"""What a lease may ask others to wait."""
TRIES = 10
JOIN_SECONDS = 5
"""What giving it back may take."""


class Lease(Model):
    """A job's word that a pod of it makes an output now."""

    version: Literal[1] = 1
    job: str
    """Its UID."""
    name: str
    pod: str
    """UID of the pod."""
    seconds: float = Field(gt=0, le=MOST_SECONDS)
    renewals: int = 0
    """Every renewal makes it another object."""

    def encode(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


class TakenError(Exception):
    """Another job makes the output."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(lease.name)
        self.lease = lease


@dataclass(frozen=True)
class _Seen:
    etag: str
    since: float
    last: float


class Leases:
    """The leases of a namespace's outputs, as one pod of a job takes them."""

    def __init__(
        self,
        cache: Cache,
        *,
        job: str,
        name: str,
        pod: str,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """What the pod says of itself.

        Args:
            cache: the namespace's.
            job: UID of the job; its other pods' leases are taken over at once.
            name: of the job.
            pod: UID of the pod.
            seconds: how long a lease holds unless it is renewed.
            clock: seconds that only go forward.
        """
        self._cache = cache
        self._own = Lease(job=job, name=name, pod=pod, seconds=seconds)
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def other(self, key: str) -> Lease | None:
        """Another job's lease that has not expired, as far as this object has watched; None where there is none.

        Raises:
            FineTuneError: StoreUnavailable, AuthDenied.
        """
        content = self._cache.store.get(self._place(key))
        return self._other(key, content) if content else None

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Holds the lease of an output until the end of the block, renewed by a thread.

        Raises:
            TakenError: another job holds it, at the beginning. Later it may get lost, which only costs double work.
        """
        self._acquire(key)
        end = threading.Event()
        keeping = threading.Thread(target=self._keep, args=[key, end], name="lease", daemon=True)
        keeping.start()
        try:
            yield
        finally:
            end.set()
            keeping.join(JOIN_SECONDS)

    def end(self, key: str, lease: Lease) -> None:
        """Ends a pod's lease, since it has been respected for long enough, renewed or not; another's stays."""
        content = self._cache.store.get(self._place(key))
        there = lease_in(content) if content else None
        if content is None or there is None or (there.job, there.pod) != (lease.job, lease.pod):
            return
        if self._cache.store.put_if_match(self._place(key), self._own.encode(), content.etag):
            self._release(key)

    def end_expired(self, key: str) -> None:
        """Ends the lease that this object has seen expire; one that was renewed or taken since stays."""
        seen = self._seen.get(key)
        if seen:
            self._cache.store.put_if_match(self._place(key), self._own.encode(), seen.etag)
            self._release(key)

    def _place(self, key: str) -> str:
        return f"{self._cache.folder(key)}/{LEASE}"

    def _acquire(self, key: str) -> None:
        place, store = self._place(key), self._cache.store
        for _ in range(TRIES):
            content = store.get(place)
            if content is None:
                if store.put_if_absent(place, self._own.encode()):
                    return
            elif theirs := self._other(key, content):
                raise TakenError(theirs)
            elif store.put_if_match(place, self._own.encode(), content.etag):
                return
        raise FineTuneError(
            Reason.STORE_UNAVAILABLE,
            f"{store.uri(place)} changes faster than it can be written",
            remedy="Check what else writes to the store.",
            path=store.path,
        )

    def _other(self, key: str, content: Content) -> Lease | None:
        lease = lease_in(content)
        if lease is None or lease.job == self._own.job:
            return None
        now, seen = self._clock(), self._seen.get(key)
        goes_on = seen and seen.etag == content.etag and now - seen.last <= lease.seconds / RENEWALS
        since = seen.since if seen and goes_on else now
        self._seen[key] = _Seen(content.etag, since, last=now)
        return lease if now - since < lease.seconds else None

    def _keep(self, key: str, end: threading.Event) -> None:
        """Renews the lease, and gives it back at the end: in a thread, so that no store that hangs holds up an exit."""
        renewals = 0
        while not end.wait(self._own.seconds / RENEWALS):
            renewals += 1
            try:
                if not self._renewed(key, renewals):
                    log.warning("the lease of %s is another job's now; the commit decides whose output counts", key)
                    return
            except FineTuneError as error:  # perhaps next time
                log.debug("the lease of %s is not renewed: %s", key, error)
        self._release(key)

    def _renewed(self, key: str, renewals: int) -> bool:
        place, store = self._place(key), hasty(self._cache.store)
        content = store.get(place)
        if content is None or not self._is_ours(content):
            return False
        lease = self._own.model_copy(update={"renewals": renewals})
        if store.put_if_match(place, lease.encode(), content.etag):
            return True
        found = store.get(place)  # where an answer gets lost the client asks again, and finds its own renewal
        return found is not None and self._is_ours(found)

    def _release(self, key: str) -> None:
        """Where that fails, it expires."""
        place, store = self._place(key), hasty(self._cache.store)
        try:
            content = store.get(place)
            if content and self._is_ours(content):
                store.delete(place)
        except FineTuneError as error:
            log.debug("the lease of %s is not given back: %s", key, error)

    def _is_ours(self, content: Content) -> bool:
        lease = lease_in(content)
        return lease is not None and (lease.job, lease.pod) == (self._own.job, self._own.pod)


def lease_in(content: Content) -> Lease | None:
    """The lease that an object holds; None for one that can't be read, which is no lease."""
    try:
        return Lease.model_validate_json(content.data)
    except ValidationError:
        return None
