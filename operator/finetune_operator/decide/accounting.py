"""Accounting: how long the job's pods have held accelerators, from getting a node to their end."""

from dataclasses import dataclass

from finetune_api.resource.status import CountedPod, FineTuneJobStatus
from finetune_operator.conditions import moment
from finetune_operator.decide.case import Case
from finetune_operator.observed import Pod

TOLD_SECONDS = 60
"""So much of a pod's time makes news of its own."""


@dataclass(frozen=True)
class _Held:
    """A pod, and how many accelerators it holds."""

    pod: Pod
    count: int


def account(case: Case) -> FineTuneJobStatus:
    """Status with the accelerator time of all pods that are there. Doing it twice counts nothing twice.

    A pod that is gone keeps what was last counted of it, so only the newest must be known: older ones are counted.
    """
    status = case.status
    for held in _holders(case):
        status = _counted(case, status, held)
    return status


def unless_only_time_passed(case: Case, status: FineTuneJobStatus) -> FineTuneJobStatus:
    """The status to write: as it was, where a live pod's time alone has grown, and by less than TOLD_SECONDS.

    A write wakes the operator, which would otherwise find a second more to write, and so on as long as the pod lives.
    """
    before = case.observed.status
    known, newest = before.counted_pod, status.counted_pod
    if known is None or newest is None or known.uid != newest.uid:
        return status
    told = {"accelerator_seconds": before.accelerator_seconds, "counted_pod": known}
    if status.model_copy(update=told) != before:
        return status
    growth = newest.seconds - known.seconds
    held_on = any(h.pod.uid == newest.uid and h.pod.live and growth < TOLD_SECONDS * h.count for h in _holders(case))
    return before if held_on else status


def _holders(case: Case) -> list[_Held]:
    """Pods of stages with an accelerator that got a node, oldest first."""
    counts = {s.index: s.system.accelerator.count for s in case.plan.stages if s.system.accelerator}
    found = [
        _Held(pod, counts[child.stage])
        for child in case.observed.children
        if child.stage in counts
        for pod in child.pods
        if pod.scheduled_at
    ]
    return sorted(found, key=lambda held: moment(held.pod.scheduled_at))


def _counted(case: Case, status: FineTuneJobStatus, held: _Held) -> FineTuneJobStatus:
    known = status.counted_pod
    same = known is not None and known.uid == held.pod.uid
    if known and not same and moment(held.pod.scheduled_at) <= moment(known.scheduled_time):
        return status
    before = known.seconds if known and same else 0
    seconds = max(before, _seconds(case, held))
    newest = CountedPod(uid=held.pod.uid, scheduled_time=held.pod.scheduled_at, seconds=seconds)
    total = (status.accelerator_seconds or 0) + seconds - before
    return status.model_copy(update={"accelerator_seconds": total, "counted_pod": newest})


def _seconds(case: Case, held: _Held) -> int:
    """Seconds times devices; of a pod that ended without saying when, nothing beyond what is known."""
    if not held.pod.live and not held.pod.finished_at:
        return 0
    end = moment(held.pod.finished_at) if held.pod.finished_at else case.observed.now
    return max(0, int((end - moment(held.pod.scheduled_at)).total_seconds())) * held.count
