"""Remaking: what a stage finds damaged or missing in the store is made anew, by the stages that it comes from."""

from finetune_api.failures import Reason
from finetune_api.messages import FailureMessage
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.outcome import decoded, stage_children
from finetune_operator.decide.preparation import MOST_ATTEMPTS, prepare_again
from finetune_operator.observed import Child

STORE = "spec.store"


def remake(case: Case) -> Verdict | None:
    """Prepare again, once a stage's pod has ended over an earlier stage's output: another try would find it so too."""
    if case.attempt >= MOST_ATTEMPTS:
        return None
    for child in stage_children(case):
        failure = _last_failure(child)
        if failure and failure.reason is Reason.ARTIFACT_CORRUPT and failure.path.startswith(STORE):
            return prepare_again(case, failure.message)
    return None


def _last_failure(child: Child) -> FailureMessage | None:
    pod = child.newest_failure
    message = decoded(pod) if pod and not child.ended_well else None
    return message.failure if message else None
