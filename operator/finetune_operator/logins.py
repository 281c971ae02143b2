"""How kopf logs in, and what becomes of an operator whose every login the API server has refused."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf

from finetune_operator.vitals import Vitals, watch_of

OK = 200
REMEMBERED = 3
"""Logins; kopf, too, takes none that is the same as one of the last three that were refused."""


class LoginRefusedError(Exception):
    """The API server refuses the login, and there is no other; nothing that runs in this process changes that."""

    def __init__(self) -> None:
        super().__init__(
            "the API server refuses the login that this operator has, and there is no other: "
            "see whether its service account is there, and whether its token is still valid"
        )


@dataclass(frozen=True, kw_only=True)
class ToldSession(kopf.AiohttpSession):  # type: ignore[misc]
    """A session that is the same to kopf as another of the same login: one that was refused is not tried again."""

    login: Any
    aiohttp_session: aiohttp.ClientSession = field(compare=False)


class Logins:
    """Those that this operator has had; kopf asks for another once the API server has refused the last one."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._had: deque[Any] = deque(maxlen=REMEMBERED)
        self._refused = asyncio.Event()

    async def another(self, **arguments: Any) -> ToldSession:
        """Does not return where there is none: each watch would fail by itself, with a traceback of its own."""
        login = kopf.login_via_client(**arguments)
        if login in self._had:
            self._refused.set()
            await asyncio.Event().wait()
        session = session_of(login, self._vitals)
        self._had.append(login)
        return session

    async def refused(self) -> None:
        """Waits until there is no other login.

        Raises:
            LoginRefusedError: then.
        """
        await self._refused.wait()
        raise LoginRefusedError


def session_of(login: Any, vitals: Vitals) -> ToldSession:
    """The session that kopf would make of a login, which also tells when a watch is begun."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.as_ssl_context()),
        headers=login.as_http_headers(),
        trust_env=login.trust_env,
        trace_configs=[_telling(vitals)],
    )
    return ToldSession(
        server=login.server,
        default_namespace=login.default_namespace,
        priority=login.priority,
        login=login,
        aiohttp_session=session,
    )


def _telling(vitals: Vitals) -> aiohttp.TraceConfig:
    async def on_request_end(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        """At the head of an answer: that of a watch has no end for minutes."""
        if end.response.status == OK and end.url.query.get("watch") == "true":
            vitals.begun(watch_of(end.url.path))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(on_request_end)
    return trace
