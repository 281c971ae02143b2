"""Suspension: nothing is held while spec.suspend is set; what is committed stays."""

from finetune_api.resource.status import ConditionType
from finetune_operator.conditions import with_condition
from finetune_operator.decide.case import Case, Verdict, stop


def suspend(case: Case) -> Verdict | None:
    """Stops the live Job; Suspended holds once its pods are gone."""
    if not case.observed.suspend:
        return None
    held = [c.name for c in case.observed.children if not c.finished] + list(case.observed.strays)
    reason = "Suspending" if held else "Suspended"
    message = f"waiting for {', '.join(held)} to end" if held else "spec.suspend is set; nothing is held"
    status = with_condition(
        case.status,
        ConditionType.SUSPENDED,
        holds=not held,
        reason=reason,
        message=message,
        now=case.observed.now,
        generation=case.observed.generation,
    )
    return Verdict(status, reason, message, actions=stop(case.observed.live_children))
