"""The two ends of a job, as verdicts. What ended never starts again."""

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import ConditionType, FailureStatus, FineTuneJobStatus, PassState, PrepareStatus
from finetune_operator.conditions import timestamp, with_condition
from finetune_operator.decide.case import DONE, Case, Verdict, stop
from finetune_operator.observed import Observed


def failed(case: Case, failure: FailureStatus) -> Verdict:
    """Failed, with what is still alive stopped."""
    status = failed_status(case.status, case.observed, failure)
    return Verdict(status, failure.reason, failure.message, actions=stop(case.observed.live_children))


def failed_status(status: FineTuneJobStatus, observed: Observed, failure: FailureStatus) -> FineTuneJobStatus:
    """The status of a job that ends with this failure."""
    passes = [
        step.model_copy(update={"state": _state_at_failure(step.state, failed=step.name == failure.pass_)})
        for step in status.passes
    ]
    changes = {
        "passes": passes,
        "prepare": _prepare_at_failure(status.prepare),
        "failure": failure,
        "progress": _progress_at_failure(status.progress, failure.pass_),
        "completion_time": timestamp(observed.now),
    }
    status = status.model_copy(update=changes)
    for kind in (ConditionType.FAILED, ConditionType.STALLED):
        status = with_condition(
            status,
            kind,
            holds=True,
            reason=failure.reason,
            message=sentence(failure),
            now=observed.now,
            generation=observed.generation,
        )
    return status


def sentence(failure: FailureStatus) -> str:
    """Place, cause and remedy, as an error says them."""
    error = FineTuneError(Reason(failure.reason), failure.message, remedy=failure.remedy, path=failure.path)
    return str(error)


def _progress_at_failure(progress: Progress | None, failed: str) -> Progress | None:
    return progress.without_outage if progress and progress.pass_ == failed else None


def _prepare_at_failure(prepare: PrepareStatus | None) -> PrepareStatus | None:
    """Prepare and a stage never run at the same time, so a prepare that still ran is what failed."""
    if prepare is None or prepare.state is not PassState.RUNNING:
        return prepare
    return prepare.model_copy(update={"state": PassState.FAILED})


def _state_at_failure(state: PassState, *, failed: bool) -> PassState:
    if state in DONE:
        return state
    return PassState.FAILED if failed else PassState.PENDING


def completed(case: Case) -> Verdict:
    """Complete: every pass that is needed committed, the artifact published."""
    now, generation = case.observed.now, case.observed.generation
    artifact = next(iter(case.status.artifacts), None)
    message = f"the artifact lies at {artifact.uri}" if artifact and artifact.uri else "all passes are committed"
    made = [step.name for step in case.plan.passes if case.pass_state(step.name) is PassState.SUCCEEDED]
    progress = Progress.model_validate({"pass": made[-1], "percent": 100})
    changes = {"completion_time": timestamp(now), "progress": progress}
    status = with_condition(
        case.status.model_copy(update=changes),
        ConditionType.COMPLETE,
        holds=True,
        reason="Completed",
        message=message,
        now=now,
        generation=generation,
    )
    return Verdict(status, "Completed", message)
