"""Liveness, as kopf serves it: an operator that leads and does not do its work fails it, and is started anew."""

from typing import Any

import kopf

from finetune_operator.leadership import Leadership
from finetune_operator.vitals import Vitals


def add_liveness(registry: Any, vitals: Vitals, leadership: Leadership) -> None:
    """Of one that waits to lead nothing is asked but that it answers: it holds nothing up."""

    async def work(**_: Any) -> None:
        if leadership.leads and (troubles := vitals.troubles()):
            raise kopf.PermanentError("; ".join(troubles))

    kopf.on.probe(registry=registry, id="work")(work)
