import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from finetune_api.resource.progress import Progress
from finetune_operator.observed import Pod
from finetune_operator.progress import PATIENCE, ProgressUnreadable, ProgressWatch, pod_url, read

GOOD = '{"pass": "tune", "step": 3, "totalSteps": 10, "percent": 30}'
SO_FAR = '{"kind": "stage", "passes": [[0, "AAAAAAAAAAAAAAAAAAAAAA", "digest", 7]]}'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, seconds: float = 10) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    """A runner's port, answered by the handler, and a session as the operator uses it, of some seconds' patience."""
    app = web.Application()
    app.router.add_get("/progress", handler)
    app.router.add_get("/outcome", answer(SO_FAR))
    app.router.add_get("/elsewhere", answer(GOOD))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session:
        yield session, port
    await runner.cleanup()


def answer(text: str, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    return handler


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def redirect(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def seen(handler: Handler, seconds: float = 10) -> object:
    async with serving(handler, seconds) as (session, port):
        return await read(session, pod_url("127.0.0.1", "progress", port), Progress)


def test_progress_is_read_as_the_runner_serves_it() -> None:
    progress = asyncio.run(seen(answer(GOOD)))
    assert (progress.pass_, progress.step, progress.percent) == ("tune", 3, 30)


def test_what_a_newer_runner_says_more_is_passed_over() -> None:
    more = json.dumps(json.loads(GOOD) | {"watts": 300})
    assert asyncio.run(seen(answer(more))) == asyncio.run(seen(answer(GOOD)))


def test_a_runner_that_has_not_begun_says_nothing_yet() -> None:
    assert asyncio.run(seen(answer("", 204))) is None


@pytest.mark.parametrize(
    "handler",
    [
        answer("oops", 500),
        answer("not JSON"),
        answer('{"pass": "tune", "percent": 900}'),
        answer('{"pass": "tune", "loss": "' + "9" * 20000 + '"}'),
        redirect,
    ],
    ids=["error", "not JSON", "out of bounds", "too long", "redirect"],
)
def test_any_other_answer_is_unreadable(handler: Handler) -> None:
    with pytest.raises(ProgressUnreadable):
        asyncio.run(seen(handler))


def test_so_is_one_that_takes_too_long() -> None:
    with pytest.raises(ProgressUnreadable):
        asyncio.run(seen(never, seconds=0.1))


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert pod_url("fd00::7", "progress") == "http://[fd00::7]:8080/progress"


def test_a_reading_is_news_once() -> None:
    async def scene() -> list[str]:
        news: list[str] = []
        async with serving(answer(GOOD)) as (session, port):
            watch: ProgressWatch[str] = ProgressWatch(5, news.append, port)
            watch.watch("job", Pod(name="p", uid="u", ip="127.0.0.1", running=True))
            await watch.read_all(session)
            await watch.read_all(session)
            (reading,) = watch.readings("job")
            assert reading.progress.step == 3
            assert [outcome.size_bytes for outcome in reading.outcome.passes] == [7]
        return news

    assert asyncio.run(scene()) == ["job"]


def test_what_prepare_has_said_of_a_pass_that_it_waits_for_no_more_is_over() -> None:
    said = [GOOD]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=said[0], status=200 if said[0] else 204)

    async def scene() -> None:
        async with serving(handler) as (session, port):
            watch: ProgressWatch[str] = ProgressWatch(5, lambda _: None, port)
            watch.watch("job", Pod(name="p", uid="u", ip="127.0.0.1", running=True))
            await watch.read_all(session)
            assert watch.readings("job")[0].outcome
            for said[0] in ("", '{"pass": "", "outage": {"message": "away", "since": "2026-11-26T12:00:00Z"}}'):
                await watch.read_all(session)
                assert watch.readings("job")[0].outcome is None
            assert watch.readings("job")[0].progress.outage.message == "away"

    asyncio.run(scene())


def test_only_after_some_patience_a_pod_is_called_unreachable() -> None:
    async def scene() -> None:
        async with serving(answer("", 500)) as (session, port):
            watch: ProgressWatch[str] = ProgressWatch(5, lambda _: None, port)
            watch.watch("job", Pod(name="p", uid="u", ip="127.0.0.1", running=True))
            for _ in range(PATIENCE - 1):
                await watch.read_all(session)
            assert watch.readings("job")[0].unreachable == ""
            await watch.read_all(session)
            assert "500" in watch.readings("job")[0].unreachable

    asyncio.run(scene())


def test_a_pod_that_does_not_run_is_not_watched() -> None:
    watch: ProgressWatch[str] = ProgressWatch(5, lambda _: None)
    watch.watch("job", Pod(name="p", uid="u", ip="127.0.0.1", running=True))
    watch.watch("job", Pod(name="p", uid="u", ip="127.0.0.1"))
    assert watch.readings("job") == ()
