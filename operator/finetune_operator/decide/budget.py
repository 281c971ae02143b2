"""Budget: how long the job's pods may hold accelerators in all."""

import math

from finetune_api.failures import Reason
from finetune_api.resource.status import FailureStatus
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed

PATH = "spec.limits.acceleratorHours"
REMEDY = "create a new FineTuneJob with a higher limit; committed passes are reused"


def enforce_budget(case: Case) -> Verdict | None:
    """Failed, once the accelerators have been held for as long as the spec allows."""
    hours = case.document.spec.limits.accelerator_hours
    if hours is None or (case.status.accelerator_seconds or 0) < hours * 3600:
        return None
    message = f"the job's pods have held accelerators for {hours:g} hours, which is all it may"
    return failed(
        case,
        FailureStatus.model_validate(
            {
                "pass": case.status.current_pass,
                "reason": Reason.DEADLINE_EXCEEDED,
                "path": PATH,
                "message": message,
                "remedy": REMEDY,
            }
        ),
    )


def seconds_until_spent(case: Case) -> int | None:
    """If the accelerators held now are held on, at least 1; None without a limit, or while none is held."""
    hours = case.document.spec.limits.accelerator_hours
    devices = sum(
        stage.system.accelerator.count
        for child in case.observed.live_children
        for stage in case.plan.stages
        if stage.index == child.stage and stage.system.accelerator and child.current_pod
    )
    if hours is None or not devices:
        return None
    left = hours * 3600 - (case.status.accelerator_seconds or 0)
    return max(1, math.ceil(left / devices))
