"""Retention: a finished job starts nothing; its Jobs, with their pods and logs, go when their time is over."""

import math
from datetime import timedelta

from finetune_api.resource.status import ConditionType, FineTuneJobStatus
from finetune_operator.conditions import moment
from finetune_operator.decide.case import stop
from finetune_operator.decision import Decision
from finetune_operator.observed import Observed


def retain(observed: Observed) -> Decision:
    """What is left to do for a finished job; its status stays as it is."""
    kept = seconds_kept(observed, observed.status)
    if kept is None:
        return Decision(observed.status, stop(observed.live_children))
    if kept > 0:
        return Decision(observed.status, stop(observed.live_children), kept)
    return Decision(observed.status, stop(tuple(child for child in observed.children if not child.deleting)))


def seconds_kept(observed: Observed, status: FineTuneJobStatus) -> int | None:
    """Until the Jobs of a job with this terminal status go; None where they stay."""
    if observed.document is None or status.completion_time is None:
        return None
    ttl = observed.document.spec.ttl_seconds_after_finished
    seconds = ttl.succeeded if status.holds(ConditionType.COMPLETE) else ttl.failed
    if seconds is None:
        return None
    end = moment(status.completion_time) + timedelta(seconds=seconds)
    return max(0, math.ceil((end - observed.now).total_seconds()))
