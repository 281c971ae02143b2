"""Remaking: what a stage finds damaged or missing in the store is made anew, by the stages that it comes from."""

from finetune_api.failures import Reason
from finetune_api.messages import FailureMessage
from finetune_operator.decide.case import Case, Verdict, stop
from finetune_operator.decide.last_word import decoded, stage_children
from finetune_operator.decide.preparation import MOST_ATTEMPTS, next_attempt
from finetune_operator.observed import Child

STORE = "spec.store"


def remake(case: Case) -> Verdict | None:
    """Stops a stage whose pod has ended over an earlier stage's output, and has prepare look again once it is gone."""
    for child in stage_children(case):
        if damage := found_damaged(case, child):
            message = f"prepare is to run again: {damage.message}"
            return Verdict(next_attempt(case), "Settling", message, actions=stop(case.observed.live_children))
    return None


def found_damaged(case: Case, child: Child) -> FailureMessage | None:
    """What a stage's last pod said of an earlier stage's output; None where making it anew is no way out."""
    pod = child.newest_failure
    message = decoded(pod) if pod and not child.ended_well else None
    failure = message.failure if message else None
    if failure is None or case.losses >= MOST_ATTEMPTS:
        return None
    return failure if failure.reason is Reason.ARTIFACT_CORRUPT and failure.path.startswith(STORE) else None
