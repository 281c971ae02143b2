"""Progress, pulled from the pods of running stages: bounded in size and time, and never able to change an outcome."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import aiohttp
from pydantic import ValidationError

from finetune_api.pod_layout import PROGRESS_PORT
from finetune_api.resource.status import Progress
from finetune_operator.observed import Pod, Reading

TIMEOUT_SECONDS = 2
LIMIT_BYTES = 16 * 1024
PATIENCE = 3
"""Reads that may fail in a row before it is said: a runner needs a while to start."""
CONCURRENCY = 32

K = TypeVar("K")
logger = logging.getLogger(__name__)


class ProgressUnreadable(Exception):  # noqa: N818
    """A pod's /progress could not be read."""


def progress_url(ip: str, port: int = PROGRESS_PORT) -> str:
    return f"http://[{ip}]:{port}/progress" if ":" in ip else f"http://{ip}:{port}/progress"


async def read_progress(session: aiohttp.ClientSession, url: str) -> Progress | None:
    """What a pod says of itself; None before its first pass begins (204).

    Raises:
        ProgressUnreadable: no answer in time, too long an answer, or another one than Progress.
    """
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status == 204:  # noqa: PLR2004
                return None
            if response.status != 200:  # noqa: PLR2004
                msg = f"answered {response.status}"
                raise ProgressUnreadable(msg)
            return Progress.model_validate_json(await _bounded(response))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ProgressUnreadable(str(error) or type(error).__name__) from error
    except ValidationError as error:
        msg = f"answered something else than progress: {error.errors()[0]['msg']}"
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
            progress = await read_progress(session, progress_url(watched.pod.ip, self._port))
            watched.failures = 0
            watched.reading = Reading(watched.pod.uid, progress)
        except ProgressUnreadable as error:
            watched.failures += 1
            logger.debug("progress of pod %s: %s", watched.pod.name, error)
            if watched.failures >= PATIENCE:
                watched.reading = Reading(watched.pod.uid, before.progress, f"pod {watched.pod.name}: {error}")
        if watched.reading != before:
            self._on_news(key)
