"""Liveness, as kopf serves it: an operator that leads and does not do its work fails it, and is started anew."""

import logging
from typing import Any

import kopf

from finetune_operator.leadership import Leadership
from finetune_operator.vitals import Vitals


class UnwellError(kopf.PermanentError):  # type: ignore[misc]
    """A new process would do better. kopf logs it in a line."""


def add_liveness(registry: Any, vitals: Vitals, leadership: Leadership) -> None:
    """Of one that waits to lead nothing is asked but that it answers: it holds nothing up."""

    async def work(**_: Any) -> None:
        if leadership.leads and (troubles := vitals.troubles()):
            raise UnwellError("; ".join(troubles))

    kopf.on.probe(registry=registry, id="work")(work)
    logging.getLogger("aiohttp.server").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is not the traceback of what was logged: the server would add it to each probe that fails."""
    error = record.exc_info[1] if record.exc_info else None
    return not (error and isinstance(error.__cause__, UnwellError))
