"""Disruptions: how many in a row took a pass's pods before there was a new checkpoint. Seen twice, counted once.

What counts is what the Job controller leaves out of backoffLimit. A pod that ends because its Job is suspended or
deleted, as by spec.suspend and by Kueue, is not disrupted.
"""

from collections.abc import Iterator

from finetune_api.messages import TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import DisruptedPod, DisruptionStatus, FineTuneJobStatus, PassState
from finetune_operator.conditions import clip
from finetune_operator.decide.case import DONE, Case
from finetune_operator.decide.failure import PREPARE, where
from finetune_operator.decide.last_word import decoded
from finetune_operator.decide.pod_trouble import WAITING_FOR_JOB
from finetune_operator.observed import Child, Pod


def count_disruptions(case: Case) -> FineTuneJobStatus:
    """Status with the disruptions of all pods that are there, and what they have brought.

    A pod counts as soon as it is seen to be disrupted, since it may vanish without an end; what it, or its successor,
    says later of its checkpoint begins the count anew. Suspending does so too.
    """
    known = case.status.disruptions
    if known and (case.observed.suspend or _is_done(case, known.pass_)):
        known = DisruptionStatus(newest_pod=known.newest_pod)
    known = known and _with_checkpoint(known, _resumed_from(case, known.pass_))
    for child, pod in _pods(case):
        word = decoded(pod)
        if _is_taken(case, child, pod) and not _is_counted(known, pod):
            said = word.failure if word else None
            known = _counted(case, known, where(case, child, said.index if said else None), pod)
        known = known and _with_checkpoint(known, _step_told(case, known.pass_, word))
    return case.status.model_copy(update={"disruptions": known})


def _is_done(case: Case, name: str) -> bool:
    if name == PREPARE:
        return case.prepare.state is PassState.SUCCEEDED
    return case.pass_state(name) in DONE


def _pods(case: Case) -> list[tuple[Child, Pod]]:
    """Of the attempt that counts, the oldest first."""
    children = [child for child in case.observed.children if child.attempt == case.attempt]
    return sorted(((child, pod) for child in children for pod in child.pods), key=lambda found: found[1].created_at)


def _is_taken(case: Case, child: Child, pod: Pod) -> bool:
    """Whether a pod is disrupted, and something with it: not what waits for another job, or ends anyway."""
    waiting = case.status.waiting
    waits = child.kind == PREPARE and waiting is not None and waiting.reason == WAITING_FOR_JOB
    return bool(pod.disrupted) and not (case.observed.suspend or child.deleting or child.suspended or waits)


def _is_counted(known: DisruptionStatus | None, pod: Pod) -> bool:
    return known is not None and pod.created_at <= known.newest_pod.creation_time


def _counted(case: Case, known: DisruptionStatus | None, step: str, pod: Pod) -> DisruptionStatus:
    """With one more, unless the pod had shown a checkpoint that is new."""
    newest = DisruptedPod(name=pod.name, uid=pod.uid, creation_time=pod.created_at, reason=clip(pod.disrupted, 63))
    if _is_done(case, step):
        return DisruptionStatus(newest_pod=newest)
    if known is None or known.pass_ != step:
        known = DisruptionStatus(pass_=step, checkpoint_step=_resumed_from(case, step), newest_pod=newest)
    shown = max((said.checkpoint_step or 0 for said in _shown(case, step)), default=0)
    more = known.model_copy(update={"count": known.count + 1, "newest_pod": newest})
    return _with_checkpoint(more, shown)


def _with_checkpoint(known: DisruptionStatus, step: int) -> DisruptionStatus:
    """One that was not known before begins the count anew."""
    if step <= known.checkpoint_step:
        return known
    return known.model_copy(update={"count": 0, "checkpoint_step": step})


def _step_told(case: Case, name: str, word: TerminationMessage | None) -> int:
    """Up to which step a pod's last word says that the pass has a checkpoint; 0 where it says nothing of one."""
    told = word.checkpoint if word else None
    if told is None or told.index >= len(case.plan.passes):
        return 0
    return told.step if case.plan.passes[told.index].name == name else 0


def _resumed_from(case: Case, name: str) -> int:
    """Which checkpoint of the pass a pod went on from, which one before it has kept; 0 where none says so."""
    return max((said.resumed_from_step or 0 for said in _shown(case, name)), default=0)


def _shown(case: Case, name: str) -> Iterator[Progress]:
    """What pods have shown of the pass while they ran, which is all that one says which is killed."""
    for said in (case.status.progress, *(reading.progress for reading in case.observed.readings)):
        if said and said.pass_ == name:
            yield said
