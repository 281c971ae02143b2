"""What a job's children have said: the last words of their ended pods, and what the running ones have told so far."""

from collections.abc import Iterator

from finetune_api.failures import Reason
from finetune_api.messages import GaveWay, TerminationMessage
from finetune_api.redaction import without_logins
from finetune_operator.decide.case import Case
from finetune_operator.observed import Child, Pod


def stage_children(case: Case) -> list[Child]:
    """The Jobs of the plan's stages that belong to the attempt that counts."""
    stages = range(len(case.plan.stages))
    return [c for c in case.observed.children if c.kind == "stage" and c.attempt == case.attempt and c.stage in stages]


def final_message(child: Child | None) -> TerminationMessage | None:
    """What the pod of a completed Job said; None when the Job isn't completed, or its message is lost."""
    if child is None or child.finished != "Complete" or child.ended_well is None:
        return None
    return decoded(child.ended_well)


def gave_way_to(child: Child) -> GaveWay | None:
    """Which job a completed stage gave way to, before all of its passes were committed."""
    message = final_message(child)
    return message.gave_way if message else None


def missed_gates(child: Child | None) -> TerminationMessage | None:
    """What the pod of a Job said that found everything committed and a gate missed: all but publishing is done."""
    if child is None or child.finished != "Failed" or child.newest_failure is None:
        return None
    message = decoded(child.newest_failure)
    return message if message and message.failure and message.failure.reason is Reason.GATE_FAILED else None


def decoded(pod: Pod) -> TerminationMessage | None:
    """A pod's last word; None when it is something else, such as the log's tail.

    Without logins in addresses: pods, those of custom images among them, may quote one.
    """
    try:
        message = TerminationMessage.decode(pod.message)
    except (ValueError, TypeError):
        return None
    failure = message.failure
    if failure is None:
        return message
    shown = {"message": without_logins(failure.message), "remedy": without_logins(failure.remedy)}
    return message.model_copy(update={"failure": failure.model_copy(update=shown)})


def said(case: Case, child: Child) -> Iterator[TerminationMessage]:
    """Last words of the child's ended pods, and what its running pod has committed so far."""
    for pod in child.pods:
        reading = case.observed.reading(pod)
        message = (reading.outcome if reading else None) if pod.live else decoded(pod)
        if message:
            yield message
