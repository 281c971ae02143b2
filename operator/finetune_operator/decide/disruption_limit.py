"""Disruption limit: a pass that is taken from its node again and again, and gets nowhere, is given up."""

from finetune_api.failures import Reason
from finetune_api.plan import PlannedPass
from finetune_api.resource.passes import Tuning
from finetune_api.resource.status import DisruptionStatus, FailureStatus
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed
from finetune_operator.decide.pod_trouble import PERMANENT
from finetune_operator.observed import Pod

PATH = "spec.disruptionLimit"
PEACE = "run it where it is left in peace (another system, a higher priorityClassName)"
PREEMPTION = "PreemptionByScheduler"
"""Of the reasons of DisruptionTarget the one for which a pod makes room; all others take it from its node."""
PEACE_FROM = {
    PREEMPTION: "give the system a higher priorityClassName, or nodes of its own",
    "TerminationByKubelet": "have the pod request what it uses (the system's resources), or run it on nodes that stay",
}
"""By the reason of DisruptionTarget."""
OFTENER = (
    "keep checkpoints more often (saveSeconds, saveSteps), give pods longer to stop (terminationGracePeriodSeconds)"
)
HIGHER = "or raise disruptionLimit, in a new job, which reuses what is kept"


def limit_disruptions(case: Case) -> Verdict | None:
    """Failed, once more disruptions in a row than the spec allows have brought no new checkpoint.

    The last pod has its time to keep one, and to say so; if it has come to an end of its own, that is what counts.
    """
    known = case.status.disruptions
    if known is None or known.count <= case.document.spec.disruption_limit:
        return None
    pod = _newest(case, known)
    own_end = pod is not None and (pod.live or pod.exit_code == 0 or pod.exit_code in PERMANENT)
    return None if own_end else failed(case, _failure(case, known, pod))


def _newest(case: Case, known: DisruptionStatus) -> Pod | None:
    """The last that was disrupted, while it is there."""
    pods = (pod for child in case.observed.children for pod in child.pods)
    return next((pod for pod in pods if pod.uid == known.newest_pod.uid), None)


def _failure(case: Case, known: DisruptionStatus, pod: Pod | None) -> FailureStatus:
    step = next((step for step in case.plan.passes if step.name == known.pass_), None)
    reason = known.newest_pod.reason
    return FailureStatus.model_validate(
        {
            "pass": known.pass_,
            "pod": known.newest_pod.name,
            "reason": Reason.PREEMPTED if reason == PREEMPTION else Reason.EVICTED,
            "exitCode": pod.exit_code if pod else None,
            "path": PATH,
            "message": f"disrupted {known.count} times in a row (the last time: {reason}), {_stood(step, known)}",
            "remedy": _remedy(step, reason),
        }
    )


def _stood(step: PlannedPass | None, known: DisruptionStatus) -> str:
    """What there was to go on from, all the while."""
    if not _keeps_checkpoints(step):
        return "and begun anew each time: it keeps no checkpoints"
    if not known.checkpoint_step:
        return "each time before its first checkpoint"
    return f"each time before a newer checkpoint than that of step {known.checkpoint_step}"


def _remedy(step: PlannedPass | None, reason: str) -> str:
    parts = [PEACE_FROM.get(reason, PEACE), *([OFTENER] if _keeps_checkpoints(step) else []), HIGHER]
    return ", ".join(parts)


def _keeps_checkpoints(step: PlannedPass | None) -> bool:
    """Of prepare (None) and of all passes but those that train there are none."""
    return step is not None and isinstance(step.spec.config, Tuning)
