"""Preparation: a short Job that says what is cached, publishes what is complete, and recovers what was lost."""

from finetune_api.failures import Reason
from finetune_api.messages import GaveWay
from finetune_api.resource.status import FailureStatus, FineTuneJobStatus, PassState, PrepareStatus
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed
from finetune_operator.decide.pod_limit import told
from finetune_operator.decide.pod_trouble import WAITING_FOR_JOB, trouble
from finetune_operator.decision import CreateJob
from finetune_operator.manifests.job import build_prepare_job
from finetune_operator.names import prepare_name
from finetune_operator.observed import Child

MOST_ATTEMPTS = 10
"""Each is one loss (a pod gone before it was read, an artifact not published); more is a fault of ours."""


def prepare(case: Case) -> Verdict | None:
    """The prepare Job of the attempt that counts, until its message is recorded; another when it was lost."""
    if case.prepare.state is PassState.SUCCEEDED:
        return _unpublished(case)
    child = case.observed.child("prepare", case.attempt)
    if child is None:
        return _started(case, case.attempt)
    if child.finished:
        return prepare_again(case, f"the last word of {child.name} is lost")
    status = _asked_for(case, case.attempt, child.name)
    if found := trouble(child):
        return Verdict(status, found.kind, told(case, found))
    if waiting := _waiting(case, child):
        return Verdict(status, WAITING_FOR_JOB, waiting)
    return Verdict(status, "Preparing", "looking for cached passes, checking model and data")


def prepare_again(case: Case, why: str) -> Verdict:
    """Recovery: the store knows what was done, and prepare can read it."""
    if case.losses >= MOST_ATTEMPTS:
        message = f"{why}, and that after {case.losses} attempts to recover"
        failure = FailureStatus(reason=Reason.INTERNAL, message=message, remedy="report this with the pods' logs")
        return failed(case, failure)
    return _started(case, case.attempt + 1, why)


def prepare_to_wait(case: Case, gave_way: GaveWay) -> Verdict:
    """A stage has found another job at work on its next pass: prepare waits for it, without an accelerator."""
    prepare = case.prepare.model_copy(update={"gave_way": case.prepare.gave_way + 1})
    case = case.with_status(case.status.model_copy(update={"prepare": prepare}))
    return _started(case, case.attempt + 1, f"job {gave_way.job} makes the same pass, and is waited for")


def next_attempt(case: Case) -> FineTuneJobStatus:
    """The status in which another attempt counts; its Job is made when all that was before it has ended."""
    attempt = case.attempt + 1
    return _asked_for(case, attempt, prepare_name(case.document.name, case.document.uid, attempt))


def _unpublished(case: Case) -> Verdict | None:
    """All passes committed and no artifact: prepare publishes, as it alone may where the artifact is to be signed.

    When it has nothing more to say, that is a fault.
    """
    if not case.all_done or case.observed.live_children:
        return None
    output = case.document.spec.output
    if output and output.signing:
        return prepare_again(case, "all passes are committed; it has the key to sign the artifact with")
    return prepare_again(case, "all passes are committed, but none of their pods said that the artifact is published")


def _started(case: Case, attempt: int, why: str = "") -> Verdict:
    again = any(step.cache_key for step in case.status.passes)
    digest = case.status.document_digest
    remaining = case.remaining_seconds
    manifest = build_prepare_job(
        case.document, attempt, case.settings, remaining, again=again, publishes=case.all_done, digest=digest
    )
    create = CreateJob(manifest)
    status = _asked_for(case, attempt, create.name)
    return Verdict(status, "Preparing", f"prepare runs again: {why}" if why else "prepare starts", actions=(create,))


def _asked_for(case: Case, attempt: int, name: str) -> FineTuneJobStatus:
    known = case.prepare
    prepare = PrepareStatus(attempt=attempt, state=PassState.RUNNING, job_name=name, gave_way=known.gave_way)
    return case.status.model_copy(update={"prepare": prepare})


def _waiting(case: Case, child: Child) -> str:
    """What the prepare pod says that it waits for; empty where it works."""
    reading = case.observed.reading(child.current_pod)
    said = reading.outcome.gave_way if reading and reading.outcome else None
    if said is None or said.index >= len(case.plan.passes):
        return ""
    return f"job {said.job} makes pass {case.plan.passes[said.index].name}, which this job needs too"
