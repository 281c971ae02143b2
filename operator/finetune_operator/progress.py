"""Progress, pulled from the pods of running stages: bounded in size and time, and never able to change an outcome."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from finetune_api.messages import TerminationMessage
from finetune_api.pod_layout import PROGRESS_PORT
from finetune_api.resource.progress import Progress
from finetune_operator.observed import Pod, Reading

TIMEOUT_SECONDS = 2
LIMIT_BYTES = 16 * 1024
PATIENCE = 3
"""Reads that may fail in a row before it is said: a runner needs a while to start."""
CONCURRENCY = 32

K = TypeVar("K")
M = TypeVar("M", bound=BaseModel)
logger = logging.getLogger(__name__)


class ProgressUnreadable(Exception):  # noqa: N818
    """A pod's /progress could not be read."""


def pod_url(ip: str, page: str, port: int = PROGRESS_PORT) -> str:
    host = f"[{ip}]" if ":" in ip else ip
    return f"http://{host}:{port}/{page}"


async def read(session: aiohttp.ClientSession, url: str, kind: type[M]) -> M | None:
    """What a pod says of itself, without what a newer runner says more; None before it has anything to say (204).

    Raises:
        ProgressUnreadable: no answer in time, too long an answer, or one that is not of this kind.
    """
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status == 204:  # noqa: PLR2004
                return None
            if response.status != 200:  # noqa: PLR2004
                msg = f"answered {response.status}"
                raise ProgressUnreadable(msg)
            return kind.model_validate_json(await _bounded(response), extra="ignore")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ProgressUnreadable(str(error) or type(error).__name__) from error
    except ValidationError as error:
        msg = f"answered something else than {kind.__name__}: {error.errors()[0]['msg']}"
        raise ProgressUnreadable(msg) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(4096):
        body += chunk
        if len(body) > LIMIT_BYTES:
            msg = f"answered with more than {LIMIT_BYTES} bytes"
            raise ProgressUnreadable(msg)
    return bytes(body)


@dataclass
class _Watched:
    pod: Pod
    reading: Reading
    failures: int = 0


class ProgressWatch(Generic[K]):
    """The running stage pods, and the last reading of each. Tells when a reading is news."""

    def __init__(self, interval_seconds: float, on_news: Callable[[K], None], port: int = PROGRESS_PORT) -> None:
        self._interval = interval_seconds
        self._on_news = on_news
        self._port = port
        self._watched: dict[K, _Watched] = {}

    def watch(self, key: K, pod: Pod | None) -> None:
        """Says which pod runs for the key now; None: none does."""
        if pod is None or not pod.running or not pod.ip:
            self._watched.pop(key, None)
        elif key not in self._watched or self._watched[key].pod.uid != pod.uid:
            self._watched[key] = _Watched(pod, Reading(pod.uid))

    def readings(self, key: K) -> tuple[Reading, ...]:
        watched = self._watched.get(key)
        return (watched.reading,) if watched else ()

    async def run(self) -> None:
        """Reads all of them, for ever."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=CONCURRENCY, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=False) as session:
            while True:
                await asyncio.sleep(self._interval)
                await self.read_all(session)

    async def read_all(self, session: aiohttp.ClientSession) -> None:
        await asyncio.gather(*(self._read(session, key, watched) for key, watched in list(self._watched.items())))

    async def _read(self, session: aiohttp.ClientSession, key: K, watched: _Watched) -> None:
        before = watched.reading
        try:
            watched.reading = await self._look(session, watched)
            watched.failures = 0
        except ProgressUnreadable as error:
            watched.failures += 1
            logger.debug("progress of pod %s: %s", watched.pod.name, error)
            if watched.failures >= PATIENCE:
                watched.reading = replace(before, unreachable=f"pod {watched.pod.name}: {error}")
        if watched.reading != before:
            self._on_news(key)

    async def _look(self, session: aiohttp.ClientSession, watched: _Watched) -> Reading:
        """Another pass than before means that something was committed: only then the outcome is read.

        Where there is no pass, there is none yet, or prepare waits for none any more, and what it said of that is over.
        """
        ip, before = watched.pod.ip, watched.reading
        progress = await read(session, pod_url(ip, "progress", self._port), Progress)
        if progress is None or not progress.pass_:
            return Reading(watched.pod.uid, progress)
        outcome = before.outcome
        if before.progress is None or progress.pass_ != before.progress.pass_:
            outcome = await read(session, pod_url(ip, "outcome", self._port), TerminationMessage)
        return Reading(watched.pod.uid, progress, outcome=outcome)
