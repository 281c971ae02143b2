"""The Lease, kept by an API server in this process: one leads, and whoever is asked to stop leaves at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from finetune_operator.leadership import LEASE_SECONDS, Leadership, run_for_leadership
from finetune_operator.settings import LeaseSettings

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
SOON = LEASE_SECONDS / 2
"""Long before a Lease that nobody has given back would expire."""
Json = dict[str, Any]


class Leases:
    """One Lease, of which only what is up to date may be replaced."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.version = 0

    @property
    def holder(self) -> str:
        return str(self.lease["spec"].get("holderIdentity", "")) if self.lease else ""

    async def get(self, _: web.Request) -> web.Response:
        return web.json_response(self.lease) if self.lease else refusal(404, "NotFound")

    async def post(self, request: web.Request) -> web.Response:
        return refusal(409, "AlreadyExists") if self.lease else self._kept(await request.json())

    async def put(self, request: web.Request) -> web.Response:
        lease = await request.json()
        if not self.lease or lease["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            return refusal(409, "Conflict")
        return self._kept(lease)

    def _kept(self, lease: Json) -> web.Response:
        self.version += 1
        self.lease = lease | {"metadata": lease["metadata"] | {"resourceVersion": f"{self.version}"}}
        return web.json_response(self.lease)


def refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": status, "reason": reason}, status=status)


class Operator:
    def __init__(self, name: str, client: ApiClient) -> None:
        self.leadership = Leadership()
        lease = LeaseSettings("system", "finetune-operator", name)
        self.task = asyncio.create_task(run_for_leadership(self.leadership, lease, client))

    async def stops(self) -> None:
        """As at SIGTERM."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def leader_and_another(leases: Leases, begins: Callable[[str], Operator]) -> tuple[Operator, Operator]:
    """Two operators, of which the first leads and the second has asked in vain."""
    first = begins("first")
    async with asyncio.timeout(SOON):
        await first.leadership.wait()
    second = begins("second")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.leadership.wait(), 0.5)
    assert leases.holder == "first"
    return first, second


Case = Callable[[Leases, Callable[[str], Operator]], Awaitable[None]]


def among_operators(case: Case) -> None:

    async def through() -> None:
        leases, app, begun = Leases(), web.Application(), []
        app.router.add_get(f"{PATH}/{{name}}", leases.get)
        app.router.add_put(f"{PATH}/{{name}}", leases.put)
        app.router.add_post(PATH, leases.post)
        async with TestServer(app) as server, ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as api:

            def begins(name: str) -> Operator:
                begun.append(Operator(name, api))
                return begun[-1]

            try:
                await case(leases, begins)
            finally:
                for operator in begun:
                    await operator.stops()

    asyncio.run(through())


def test_one_leads_and_when_it_is_asked_to_stop_another_does_at_once() -> None:
    async def case(leases: Leases, begins: Callable[[str], Operator]) -> None:
        first, second = await leader_and_another(leases, begins)
        await first.stops()
        async with asyncio.timeout(SOON):
            await second.leadership.wait()
        assert leases.holder == "second"

    among_operators(case)


def test_who_does_not_lead_gives_nothing_back() -> None:
    async def case(leases: Leases, begins: Callable[[str], Operator]) -> None:
        first, second = await leader_and_another(leases, begins)
        await second.stops()
        assert (leases.holder, first.leadership.leads) == ("first", True)

    among_operators(case)
