"""The operator tells the time by the API server."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from finetune_operator.kube import Kube


class Answering:
    """An API server's HTTP side: every answer says {} and what time it is."""

    configuration = SimpleNamespace(host="https://api")

    def __init__(self, **headers: str) -> None:
        self.answer = SimpleNamespace(status=200, headers=headers, read=self.read)

    async def update_params_for_auth(self, *_: object) -> None:
        """Anybody may ask."""

    async def call_api(self, *_: object, **__: object) -> SimpleNamespace:
        return self.answer

    async def read(self) -> bytes:
        return b"{}"


def asked(**headers: str) -> Kube:
    kube = Kube(Answering(**headers))
    asyncio.run(kube.get_fine_tune_job("team", "tone"))
    return kube


def test_it_is_as_late_as_the_api_server_says_and_not_as_this_machine_does() -> None:
    assert asked(Date="Thu, 26 Nov 2026 12:00:01 GMT").now() == datetime(2026, 11, 26, 12, 0, 1, tzinfo=UTC)


def test_without_a_word_from_the_api_server_this_machines_clock_counts() -> None:
    assert abs(asked().now() - datetime.now(UTC)) < timedelta(minutes=1)
