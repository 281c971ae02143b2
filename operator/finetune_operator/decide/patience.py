"""Patience: a pod that can't start for long fails the job, so that nothing is held for work that never begins."""

from datetime import timedelta

from finetune_api.failures import Reason
from finetune_api.resource.status import FailureStatus
from finetune_operator.conditions import clip, moment
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import failed
from finetune_operator.decide.failure import system_path, where
from finetune_operator.decide.pod_trouble import (
    IMAGE_PULL_FAILED,
    MISSING_REFERENCE,
    NOT_STARTING,
    UNSCHEDULABLE,
    Trouble,
    troubled,
)
from finetune_operator.observed import Child

TOLD: dict[str, tuple[Reason, str, str]] = {
    IMAGE_PULL_FAILED: (
        Reason.IMAGE_PULL_FAILED,
        ".image",
        "check the image's name and tag, that the nodes reach its registry, and the system's imagePullSecrets",
    ),
    MISSING_REFERENCE: (
        Reason.INVALID_SPEC,
        ".env",
        "create what the message names (a Secret or ConfigMap that the system's env refers to), and a new job",
    ),
    NOT_STARTING: (
        Reason.INTERNAL,
        "",
        "see what the node's kubelet and container runtime say about the pod",
    ),
    UNSCHEDULABLE: (
        Reason.UNSCHEDULABLE,
        "",
        "free or add a node that fits, or ask for less: the system's accelerator, resources, nodeSelector, tolerations",
    ),
}
"""Reason, the system's field it is about, and remedy, of each trouble that has a limit."""


def lose_patience(case: Case) -> Verdict | None:
    """Failed, once a pod has been unable to start for longer than the operator waits."""
    for child, found in troubled(case.observed.live_children):
        limit = _limit(case, found)
        if limit is not None and case.observed.now >= moment(found.since) + timedelta(seconds=limit):
            return failed(case, _failure(case, child, found, limit))
    return None


def _limit(case: Case, found: Trouble) -> float | None:
    """Seconds; None for what has no limit."""
    if not found.since or found.kind not in TOLD:
        return None
    patience = case.settings
    return patience.unschedulable_seconds if found.kind == UNSCHEDULABLE else patience.pod_start_seconds


def _failure(case: Case, child: Child, found: Trouble, limit: float) -> FailureStatus:
    reason, field, remedy = TOLD[found.kind]
    path = system_path(case, child)
    return FailureStatus.model_validate(
        {
            "pass": where(case, child),
            "reason": reason,
            "path": f"{path}{field}" if path else "",
            "message": clip(f"{found.message} (waited {limit:.0f} s)"),
            "remedy": remedy,
        }
    )
