"""/healthz, as kopf serves it, of an operator that watches by an API server in this process."""

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.config import kube_config

from finetune_operator.__main__ import run_shell
from finetune_operator.leadership import Leadership
from finetune_operator.liveness import add_liveness
from finetune_operator.logins import LoginRefusedError, Logins
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.shell import WATCHED, build_registry
from finetune_operator.vitals import ROUND_SECONDS, Vitals, watches_of
from operator_world import SETTINGS
from watched_api import SERVED, WatchedApi, watched_api

SECONDS = 20
TEAM = "namespaces/team/"
WATCH_SECONDS = int(SETTINGS.watch_seconds)


def paths(place: str = "") -> set[str]:
    """What is watched: of a namespace, or of all."""
    return {f"{group}/{place}{plural}" for group, served in SERVED.items() for plural in WATCHED if plural in served}


@dataclass
class Running:
    """An operator, but for its workers, whose time the test tells."""

    api: WatchedApi
    leadership: Leadership
    task: asyncio.Task[None]
    health: str
    place: str = ""
    seconds: float = 0.0
    vitals: Vitals = None  # type: ignore[assignment]

    async def healthz(self) -> int:
        async with aiohttp.ClientSession() as session, session.get(self.health) as answer:
            return answer.status

    async def has_asked_for_all_watches(self) -> None:
        await until(lambda: self.api.watches.keys() >= paths(self.place))

    def answers_for(self, seconds: int) -> None:
        for _ in range(0, seconds, 60):
            self.seconds += 60
            self.vitals.answered()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def operator(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, refuses: bool = False, namespaces: tuple[str, ...] = ()
) -> AsyncIterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        health = f"http://127.0.0.1:{free.getsockname()[1]}/healthz"
    async with watched_api() as api:
        api.refuses = refuses
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(api.kubeconfig(folder)))
        running = Running(api, Leadership(), None, health, TEAM if namespaces else "")  # type: ignore[arg-type]
        running.vitals = Vitals(watches_of(WATCHED, namespaces), WATCH_SECONDS, lambda: running.seconds)
        logins = Logins(running.vitals)
        registry = build_registry(lambda _: None, Metrics(), logins)
        add_liveness(registry, running.vitals, running.leadership)
        settings = replace(SETTINGS, liveness_endpoint=health, watch_namespaces=namespaces)
        running.task = asyncio.create_task(run_shell(settings, registry, logins))
        try:
            yield running
        finally:
            running.task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await running.task


Case = Callable[[Running], Coroutine[Any, Any, None]]


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(case: Case, **options: Any) -> None:
        async def through() -> None:
            async with operator(tmp_path, monkeypatch, **options) as running:
                await running.has_asked_for_all_watches()
                await case(running)

        asyncio.run(through())

    return run


async def goes_on_for_long(running: Running) -> None:
    """It leads, its watches are begun anew, and it is alive."""
    await running.leadership.take()
    running.answers_for(3 * WATCH_SECONDS)
    running.api.watches.clear()
    await running.has_asked_for_all_watches()
    await until(lambda: running.vitals.troubles() == [])
    assert await running.healthz() == 200


def test_one_whose_watches_are_begun_anew_is_alive(live) -> None:
    async def case(running: Running) -> None:
        await goes_on_for_long(running)

    live(case)


def test_one_whose_watches_cannot_be_begun_though_the_api_server_answers_is_not_while_it_leads(live) -> None:
    async def case(running: Running) -> None:
        await running.leadership.take()
        running.answers_for(WATCH_SECONDS + 120)
        assert await running.healthz() == 500
        await running.leadership.lose()
        assert await running.healthz() == 200

    live(case, refuses=True)


def test_why_it_fails_is_told_in_one_line(live, caplog: pytest.LogCaptureFixture) -> None:
    async def case(running: Running) -> None:
        await running.leadership.take()
        with running.vitals.round(("team", "tone")):
            running.seconds += ROUND_SECONDS + 1
            assert await running.healthz() == 500

    live(case)
    [told] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "the work on team/tone has taken 601 s" in told.getMessage()
    assert told.exc_info is None


def test_one_that_waits_for_an_api_server_that_is_away_is_alive(live) -> None:
    async def case(running: Running) -> None:
        await running.leadership.take()
        running.vitals.unanswered()
        running.seconds += 24 * 3600
        assert await running.healthz() == 200

    live(case, refuses=True)


def test_one_whose_worker_hangs_is_not(live) -> None:
    async def case(running: Running) -> None:
        await running.leadership.take()
        with running.vitals.round(("team", "tone")):
            running.seconds += ROUND_SECONDS + 1
            assert await running.healthz() == 500

    live(case)


def test_it_takes_another_token_when_the_one_it_has_is_refused(live, tmp_path: Path) -> None:
    async def case(running: Running) -> None:
        running.api.token = "second"
        running.api.kubeconfig(tmp_path)
        running.api.watches.clear()
        await running.has_asked_for_all_watches()

    live(case)


def test_it_ends_where_there_is_no_other_token_and_does_not_ask_for_ever(live) -> None:
    async def case(running: Running) -> None:
        running.api.token = "second"
        await until(running.task.done)
        assert isinstance(running.task.exception(), LoginRefusedError)

    live(case)


def test_it_says_so_once_and_leaves_nothing_open(live, caplog: pytest.LogCaptureFixture) -> None:
    async def case(running: Running) -> None:
        running.api.token = "second"
        await until(running.task.done)

    live(case)
    gc.collect()  # tasks and sessions that nobody asked for their end tell of it when they go
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_one_that_serves_a_namespace_is_alive_and_asks_for_nothing_elsewhere(live) -> None:
    async def case(running: Running) -> None:
        await goes_on_for_long(running)
        kinds = {plural for served in SERVED.values() for plural in served}
        objects = {path for path in running.api.asked if path.rpartition("/")[2] in kinds}
        assert objects == paths(TEAM)

    live(case, namespaces=("team",))
