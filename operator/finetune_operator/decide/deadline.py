"""Deadline: the whole job, from its acceptance on, suspended or not."""

from datetime import timedelta

from finetune_api.failures import Reason
from finetune_api.resource.status import FailureStatus
from finetune_operator.conditions import moment
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed

PATH = "spec.activeDeadlineSeconds"
REMEDY = "create a new FineTuneJob with a later deadline; committed passes are reused"


def enforce_deadline(case: Case) -> Verdict | None:
    """Failed, once activeDeadlineSeconds have passed since the start."""
    seconds, start = case.document.spec.active_deadline_seconds, case.status.start_time
    if seconds is None or start is None or case.observed.now < moment(start) + timedelta(seconds=seconds):
        return None
    return failed(case, deadline_exceeded(case.status.current_pass, seconds))


def deadline_exceeded(step: str, seconds: int | None) -> FailureStatus:
    after = f"the job was not done after {seconds} seconds" if seconds else "the Job's deadline has passed"
    return FailureStatus.model_validate(
        {"pass": step, "reason": Reason.DEADLINE_EXCEEDED, "path": PATH, "message": after, "remedy": REMEDY}
    )
