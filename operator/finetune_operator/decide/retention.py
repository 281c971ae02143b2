"""Retention: a finished job starts nothing; its Jobs, with their pods and logs, go when their time is over."""

import math
from datetime import timedelta

from finetune_api.resource.status import ConditionType
from finetune_operator.conditions import moment
from finetune_operator.decide.case import stop
from finetune_operator.decision import Decision
from finetune_operator.observed import Observed


def retain(observed: Observed) -> Decision:
    """What is left to do for a finished job; its status stays as it is."""
    kept = _seconds_left(observed)
    if kept is None:
        return Decision(observed.status, stop(observed.live_children))
    if kept > 0:
        return Decision(observed.status, stop(observed.live_children), kept)
    return Decision(observed.status, stop(tuple(child for child in observed.children if not child.deleting)))


def _seconds_left(observed: Observed) -> int | None:
    """Until its Jobs go; None where they stay."""
    if observed.document is None or observed.status.completion_time is None:
        return None
    ttl = observed.document.spec.ttl_seconds_after_finished
    seconds = ttl.succeeded if observed.status.holds(ConditionType.COMPLETE) else ttl.failed
    if seconds is None:
        return None
    end = moment(observed.status.completion_time) + timedelta(seconds=seconds)
    return max(0, math.ceil((end - observed.now).total_seconds()))
