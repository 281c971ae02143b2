"""A job of which another version of the operator has written what this one does not know: told, and left alone."""

from finetune_api.resource.status import ConditionType
from finetune_operator.conditions import with_condition
from finetune_operator.decision import Decision
from finetune_operator.observed import Observed

REASON = "Unreadable"


def leave_alone(observed: Observed) -> Decision:
    """Nothing is started, stopped or failed, since the version that can read it may come back."""
    status = with_condition(
        observed.status,
        ConditionType.RECONCILING,
        holds=True,
        reason=REASON,
        message="another version of the operator has worked on the job, and this one can't read what it wrote:"
        f" {observed.unreadable}. Nothing is started, stopped or failed meanwhile: install that version again,"
        " or create a new job (committed passes are reused)",
        now=observed.now,
        generation=observed.generation,
    )
    return Decision(status.model_copy(update={"observed_generation": observed.generation}))
