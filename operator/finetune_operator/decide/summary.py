"""The last touch on every status: what the passes do now, phase, and the conditions that follow from the rest."""

from finetune_api.plan import Stage
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import ConditionType, FineTuneJobStatus, PassState, PassStatus, WaitingStatus
from finetune_operator.conditions import timestamp, with_condition
from finetune_operator.decide.case import DONE, Verdict
from finetune_operator.decide.pod_trouble import WAITING
from finetune_operator.observed import Observed, Reading


def summarised(observed: Observed, verdict: Verdict) -> FineTuneJobStatus:
    """The status that a verdict comes to."""
    status = verdict.status
    if not status.terminal:
        reading = observed.reading(verdict.child.current_pod) if verdict.child else None
        status = _with_progress(status, verdict.stage, reading)
        status = _with_reachability(status, observed, verdict.stage, reading)
    status = _with_outage_of_prepare(status, observed)
    status = _with_resumption(status, observed)
    status = _with_reconciling(status, observed, verdict.reason, verdict.message)
    status = _with_waiting(status, observed, verdict.reason)
    current = "" if status.terminal else _current_pass(status, verdict.stage)
    waits = verdict.reason in WAITING
    passes = status.passes if status.terminal else [_acting(p, verdict.stage, current, waits) for p in status.passes]
    changes = {"current_pass": current, "passes": passes, "observed_generation": observed.generation}
    status = status.model_copy(update=changes)
    return status.model_copy(update={"phase": phase(status)})


def waiting_for(status: FineTuneJobStatus, observed: Observed, reason: str, message: str) -> FineTuneJobStatus:
    """The status of a job that can't go on for this reason of WAITING, all else as it was."""
    status = _with_waiting(_with_reconciling(status, observed, reason, message), observed, reason)
    return status.model_copy(update={"phase": phase(status)})


def phase(status: FineTuneJobStatus) -> str:
    """One word for people; the conditions are what holds."""
    for kind, word in (
        (ConditionType.COMPLETE, "Complete"),
        (ConditionType.FAILED, "Failed"),
        (ConditionType.SUSPENDED, "Suspended"),
    ):
        if status.holds(kind):
            return word
    if not status.holds(ConditionType.ACCEPTED):
        return "Pending"
    if (going_on := status.condition(ConditionType.RECONCILING)) and going_on.reason in WAITING:
        return "Waiting"
    prepared = status.prepare and status.prepare.state is PassState.SUCCEEDED
    return "Running" if prepared else "Preparing"


def _with_progress(status: FineTuneJobStatus, stage: Stage | None, reading: Reading | None) -> FineTuneJobStatus:
    """What the running pod said last; what it said before stays while its stage lives, but not what it waited for."""
    own = {step.name for step in stage.passes} if stage else set()
    said = reading.progress if reading else None
    before = status.progress.without_outage if status.progress else None
    if stage and said and not said.pass_:
        said = _before_its_pass(said, before, _next_pass(status, stage) or stage.passes[-1].name)
    shown = said if said and said.pass_ in own else before
    return status.model_copy(update={"progress": shown if shown and shown.pass_ in own else None})


def _before_its_pass(said: Progress, before: Progress | None, name: str) -> Progress:
    """What a pod waits for that is at no pass yet, as part of the pass that is next, however far that has come."""
    known = before if before and before.pass_ == name else Progress.model_validate({"pass": name})
    return known.model_copy(update={"outage": said.outage})


def _with_outage_of_prepare(status: FineTuneJobStatus, observed: Observed) -> FineTuneJobStatus:
    """What prepare waits for, in the words of the pod that does now."""
    if status.prepare is None:
        return status
    running = not status.terminal and status.prepare.state is PassState.RUNNING
    child = observed.child("prepare", status.prepare.attempt) if running else None
    reading = observed.reading(child.current_pod) if child else None
    outage = reading.progress.outage if reading and reading.progress else None
    return status.model_copy(update={"prepare": status.prepare.model_copy(update={"outage": outage})})


def _with_reachability(
    status: FineTuneJobStatus, observed: Observed, stage: Stage | None, reading: Reading | None
) -> FineTuneJobStatus:
    """ProgressUnreachable is news, never an outcome; it goes with the stage."""
    why = reading.unreachable if reading and stage else ""
    if not why and not status.holds(ConditionType.PROGRESS_UNREACHABLE):
        return status
    return with_condition(
        status,
        ConditionType.PROGRESS_UNREACHABLE,
        holds=bool(why),
        reason="Unreachable" if why else "Reachable",
        message=why,
        now=observed.now,
        generation=observed.generation,
    )


def _with_resumption(status: FineTuneJobStatus, observed: Observed) -> FineTuneJobStatus:
    suspended = status.condition(ConditionType.SUSPENDED)
    if observed.suspend or suspended is None or suspended.reason == "Resumed":
        return status
    return with_condition(
        status,
        ConditionType.SUSPENDED,
        holds=False,
        reason="Resumed",
        message="spec.suspend is not set",
        now=observed.now,
        generation=observed.generation,
    )


def _with_reconciling(status: FineTuneJobStatus, observed: Observed, reason: str, message: str) -> FineTuneJobStatus:
    """kstatus: in progress while Reconciling holds; a suspended job is where it was asked to be."""
    busy = not status.terminal and not status.holds(ConditionType.SUSPENDED)
    return with_condition(
        status,
        ConditionType.RECONCILING,
        holds=busy,
        reason=reason,
        message=message,
        now=observed.now,
        generation=observed.generation,
    )


def _with_waiting(status: FineTuneJobStatus, observed: Observed, reason: str) -> FineTuneJobStatus:
    """Since when it waits for what it waits for."""
    if status.terminal or status.holds(ConditionType.SUSPENDED) or reason not in WAITING:
        return status.model_copy(update={"waiting": None})
    if status.waiting and status.waiting.reason == reason:
        return status
    return status.model_copy(update={"waiting": WaitingStatus(reason=reason, since=timestamp(observed.now))})


def _current_pass(status: FineTuneJobStatus, stage: Stage | None) -> str:
    if stage is None:
        return ""
    return status.progress.pass_ if status.progress else _next_pass(status, stage)


def _next_pass(status: FineTuneJobStatus, stage: Stage) -> str:
    """The first of a stage that is not committed; empty where all are."""
    states = {step.name: step.state for step in status.passes}
    return next((s.name for s in stage.passes if states[s.name] not in DONE), "")


def _acting(step: PassStatus, stage: Stage | None, current: str, waits: bool) -> PassStatus:
    """Running from the moment its stage reaches it until its output is seen committed, but not while its pod waits."""
    if step.state in DONE:
        return step
    if waits:
        return step.model_copy(update={"state": PassState.PENDING})
    names = [s.name for s in stage.passes] if stage else []
    reached = step.name in names and current in names and names.index(step.name) <= names.index(current)
    return step.model_copy(update={"state": PassState.RUNNING if reached else PassState.PENDING})
