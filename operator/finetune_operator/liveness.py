"""Liveness, as kopf serves it: an operator that leads and does not do its work fails it, and is started anew."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf

from finetune_operator.leadership import Leadership
from finetune_operator.vitals import Vitals, watch_of

OK = 200


@dataclass(frozen=True, kw_only=True)
class ToldSession(kopf.AiohttpSession):  # type: ignore[misc]
    """A session that is the same to kopf as another of the same login: one that was refused is not tried again."""

    login: Any
    aiohttp_session: aiohttp.ClientSession = field(compare=False)


def add_liveness(registry: Any, vitals: Vitals, leadership: Leadership) -> None:
    """Of one that waits to lead nothing is asked but that it answers: it holds nothing up."""

    async def work(**_: Any) -> None:
        if leadership.leads and (troubles := vitals.troubles()):
            raise kopf.PermanentError("; ".join(troubles))

    kopf.on.probe(registry=registry, id="work")(work)


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
