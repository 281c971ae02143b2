"""Retention: a finished job starts nothing; its Jobs, with their pods and logs, go when their time is over."""

import math
from datetime import timedelta

from finetune_api.resource.status import ConditionType, FineTuneJobStatus
from finetune_operator.conditions import moment
from finetune_operator.decide.case import stop
from finetune_operator.decision import Decision
from finetune_operator.observed import Observed


def retain(observed: Observed) -> Decision:
    """What is left to do for a finished job; its status stays as it is, but says that a newer spec has been seen."""
    status = observed.status.model_copy(update={"observed_generation": observed.generation})
    kept = seconds_kept(observed, status)
    if kept is None:
        return Decision(status, stop(observed.live_children))
    if kept > 0:
        return Decision(status, stop(observed.live_children), kept)
    return Decision(status, stop(tuple(child for child in observed.children if not child.deleting)))


def seconds_kept(observed: Observed, status: FineTuneJobStatus) -> int | None:
    """Until the Jobs of a job with this terminal status go; None where they stay.

    By the spec itself, which is immutable: the document may be gone.
    """
    ttl = observed.spec.get("ttlSecondsAfterFinished") or {}
    seconds = ttl.get("succeeded" if status.holds(ConditionType.COMPLETE) else "failed")
    if seconds is None or status.completion_time is None:
        return None
    end = moment(status.completion_time) + timedelta(seconds=seconds)
    return max(0, math.ceil((end - observed.now).total_seconds()))
