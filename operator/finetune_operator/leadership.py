"""Of several operators one leads: whoever holds a Lease (https://kubernetes.io/docs/concepts/architecture/leases/).

The others watch too, so that the one that takes over knows what there is to look at. A round begun before the Lease was
lost may still end: its writes hold only on what it observed, and the names of what it makes are the same for all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.models import V1Lease, V1ObjectMeta
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from finetune_operator.settings import LeaseSettings

LEASE_SECONDS = 12
"""After its holder was last heard of. Another leads at most 16 seconds and four calls after the last renewal: it may
hear of that, and of the end, RETRY_SECONDS late. The 15, 10 and 2 of Kubernetes' own controllers would make it 19.
"""
RENEW_SECONDS = 7
"""A leader that could not renew for so long stops leading."""
RETRY_SECONDS = 2
CALL_SECONDS = 2
"""A try is two calls; one that begins just before RENEW_SECONDS are over must end before the Lease does."""
NOT_FOUND = 404
NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


class Leadership:
    """Whether this operator leads."""

    def __init__(self) -> None:
        self._leads = asyncio.Event()

    @property
    def leads(self) -> bool:
        return self._leads.is_set()

    async def wait(self) -> None:
        """Until it leads."""
        await self._leads.wait()

    async def take(self) -> None:
        logger.info("leading")
        self._leads.set()

    async def lose(self) -> None:
        logger.warning("leading no more: the lease could not be renewed")
        self._leads.clear()


async def lead_alone(leadership: Leadership) -> None:
    """Leads for ever, asking nobody."""
    await leadership.take()
    await asyncio.Event().wait()


async def run_for_leadership(leadership: Leadership, lease: LeaseSettings, client: ApiClient) -> None:
    """Gets the Lease and renews it, for ever; gives it back when cancelled, so that no one waits for it to expire."""
    lock = _Lock(lease.name, lease.namespace, lease.identity, client)
    logging.getLogger("kubernetes.aio.leaderelection").setLevel(
        logging.CRITICAL
    )  # it logs each try that finds no server
    config = Config(lock, LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, leadership.take, leadership.lose)
    try:
        while True:
            await LeaderElection(config).run()
    finally:
        await lock.give_back()


class _Lock(LeaseLock):  # type: ignore[misc]
    """A Lease that may not answer: to the election that is a try that failed, not its end."""

    _trouble = ""

    async def get(self, name: str, namespace: str) -> Any:
        nothing = False, ApiException(reason="no answer")
        found, record = await _answer(lambda: super(_Lock, self).get(name, namespace), nothing)
        self._tell("" if found or record.status == NOT_FOUND else f"{record.status or ''} {record.reason}".strip())
        return found, record

    def _tell(self, trouble: str) -> None:
        """Once, when it changes."""
        if trouble and trouble != self._trouble:
            logger.error("the lease %s/%s can't be read, so nobody leads here: %s", self.namespace, self.name, trouble)
        self._trouble = trouble

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """The library's own asks for a pretty answer, by an argument that the client it belongs to refuses."""
        lease = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        return await self._done(lambda: self.api_instance.create_namespaced_lease(namespace, lease))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        return bool(await _answer(lambda: super(_Lock, self).update(name, namespace, updated_record), other=False))

    async def give_back(self) -> None:
        """Lets the next one have it at once, if it is ours."""
        await self.get(self.name, self.namespace)
        lease = self.lease_reference
        if lease is None or lease.spec is None or lease.spec.holder_identity != self.identity:
            return
        lease.spec.holder_identity = ""
        replace = self.api_instance.replace_namespaced_lease
        given_back = await self._done(lambda: replace(self.name, self.namespace, lease))
        logger.info("the lease is given back" if given_back else "the lease is left to expire")

    @staticmethod
    async def _done(call: Callable[[], Awaitable[Any]]) -> bool:
        """Whether the server did as it was asked."""
        try:
            return await _answer(call, other=None) is not None
        except ApiException as refused:
            logger.warning("lease: %s", refused.reason)
            return False


async def _answer(call: Callable[[], Awaitable[Any]], other: Any) -> Any:
    """What a call says; something else where no answer comes in time."""
    try:
        return await asyncio.wait_for(call(), CALL_SECONDS)
    except NO_ANSWER:
        return other
