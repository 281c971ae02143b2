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
    POD_REFUSED,
    QUOTA_EXCEEDED,
    UNSCHEDULABLE,
    Trouble,
    troubled,
)
from finetune_operator.observed import Child

TOLD: dict[str, tuple[Reason, str]] = {
    IMAGE_PULL_FAILED: (
        Reason.IMAGE_PULL_FAILED,
        "check the image's name and tag, that the nodes reach its registry, and the system's imagePullSecrets",
    ),
    MISSING_REFERENCE: (
        Reason.INVALID_SPEC,
        "create what the message names (the spec refers to it), or correct the spec, and create a new job",
    ),
    QUOTA_EXCEEDED: (
        Reason.UNSCHEDULABLE,
        "free some of the namespace's quota or have it raised, or ask for less: the system's accelerator, resources",
    ),
    POD_REFUSED: (
        Reason.INVALID_SPEC,
        "ask for what the namespace's policies allow (the message says what they refuse), and create a new job",
    ),
    NOT_STARTING: (
        Reason.INTERNAL,
        "see what the node's kubelet and container runtime say about the pod",
    ),
    UNSCHEDULABLE: (
        Reason.UNSCHEDULABLE,
        "free or add a node that fits, or ask for less: the system's accelerator, resources, nodeSelector, tolerations",
    ),
}
"""Reason and remedy of each trouble that has a limit."""


def lose_patience(case: Case) -> Verdict | None:
    """Failed, once a pod has been unable to start for longer than the operator waits."""
    for child, found in troubled(case.observed.live_children):
        limit, since = _limit(case, found), found.since or _seen_since(case, found)
        if limit is not None and since and case.observed.now >= moment(since) + timedelta(seconds=limit):
            return failed(case, _failure(case, child, found, limit))
    return None


def _seen_since(case: Case, found: Trouble) -> str:
    """When the job was first seen to wait for this; empty where that is now."""
    known = case.status.waiting
    return known.since if known and known.reason == found.kind else ""


def _limit(case: Case, found: Trouble) -> float | None:
    """Seconds; None for what has no limit."""
    if found.kind not in TOLD:
        return None
    patience = case.settings
    waits_for_room = found.kind in (UNSCHEDULABLE, QUOTA_EXCEEDED)
    return patience.unschedulable_seconds if waits_for_room else patience.pod_start_seconds


def _failure(case: Case, child: Child, found: Trouble, limit: float) -> FailureStatus:
    reason, remedy = TOLD[found.kind]
    path = system_path(case, child)
    return FailureStatus.model_validate(
        {
            "pass": where(case, child),
            "reason": reason,
            "path": f"{path}{found.field}" if path else "",
            "message": clip(f"{found.message} (waited {limit:.0f} s)"),
            "remedy": remedy,
        }
    )
