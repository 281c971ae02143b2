import asyncio
from collections.abc import Coroutine
from typing import Any

from finetune_operator import work_queue
from finetune_operator.work_queue import WorkQueue


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 10))


async def is_empty(queue: WorkQueue[str]) -> bool:
    task = asyncio.create_task(queue.take())
    for _ in range(3):
        await asyncio.sleep(0)
    empty = not task.done()
    task.cancel()
    return empty


def test_a_key_added_twice_is_worked_on_once() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add("a")
        assert await queue.take() == "a"
        queue.done("a")
        assert await is_empty(queue)

    run(scene())


def test_a_key_that_is_being_worked_on_is_given_to_no_other_worker() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.take()
        queue.add("a")
        assert await is_empty(queue)
        queue.done("a")
        assert await queue.take() == "a"

    run(scene())


def test_keys_come_in_the_order_they_were_added() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in "bca":
            queue.add(key)
        assert [await queue.take() for _ in range(3)] == list("bca")

    run(scene())


def test_a_worker_that_waits_is_woken() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        queue.add("a")
        assert await waiting == "a"

    run(scene())


def test_a_failed_key_comes_back_later_and_later_up_to_a_limit() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        delays = []
        for _ in range(12):
            queue.add("a")
            await queue.take()
            delays.append(queue.failed("a"))
        assert delays[:4] == [0.5, 1, 2, 4]
        assert delays[-1] == work_queue.LAST_BACKOFF_SECONDS

    run(scene())


def test_success_forgets_failures() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for _ in range(3):
            queue.add("a")
            await queue.take()
            queue.failed("a")
        queue.add("a")
        await queue.take()
        queue.done("a")
        queue.add("a")
        await queue.take()
        assert queue.failed("a") == 0.5

    run(scene())


def test_a_key_put_off_comes_back_by_itself() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.take()
        queue.done("a", again_after=0.01)
        assert await queue.take() == "a"

    run(scene())


def test_a_later_appointment_replaces_an_earlier_one() -> None:
    async def scene() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 0.01)
        queue.add_after("a", None)
        queue.add_after("b", 0.03)
        assert await queue.take() == "b"

    run(scene())
