"""What a status write adds to the counters: the difference between the status before and after. Pure.

A status is written on the version that it was decided on, so each difference is written, and counted, once: whichever
operator writes it, however often one restarts, and also of a job that is deleted later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from finetune_api.resource.status import ConditionType, FineTuneJobStatus, PassStatus, WaitingStatus
from finetune_operator.conditions import moment


@dataclass(frozen=True)
class Wait:
    """A wait that is over."""

    reason: str
    seconds: float


@dataclass(frozen=True)
class Change:
    accelerator_seconds: int = 0
    """Seconds times devices."""
    restarts: int = 0
    """Pods of stages that were started since one before did not end well."""
    completed: bool = False
    failure: str = ""
    """Reason of a job that failed; empty for one that did not."""
    wait: Wait | None = None


def change(before: FineTuneJobStatus, after: FineTuneJobStatus, now: datetime) -> Change:
    """What is new in a status."""
    return Change(
        accelerator_seconds=max(0, (after.accelerator_seconds or 0) - (before.accelerator_seconds or 0)),
        restarts=_restarts(before.passes, after.passes),
        completed=after.holds(ConditionType.COMPLETE) and not before.holds(ConditionType.COMPLETE),
        failure=_failure(before, after),
        wait=_wait(before.waiting, after.waiting, now),
    )


def _restarts(before: Iterable[PassStatus], after: Iterable[PassStatus]) -> int:
    """The passes of a stage share its pods, so that those of one Job count once."""
    known = {step.name: step.attempts for step in before}
    more: dict[str, int] = {}
    for step in after:
        started = step.attempts - max(known.get(step.name, 0), 1)
        more[step.job_name] = max(more.get(step.job_name, 0), started)
    return sum(more.values())


def _failure(before: FineTuneJobStatus, after: FineTuneJobStatus) -> str:
    fails = after.holds(ConditionType.FAILED) and not before.holds(ConditionType.FAILED)
    return after.failure.reason if fails and after.failure else ""


def _wait(before: WaitingStatus | None, after: WaitingStatus | None, now: datetime) -> Wait | None:
    if before is None or (after is not None and after.reason == before.reason):
        return None
    return Wait(before.reason, max(0.0, (now - moment(before.since)).total_seconds()))
