"""How long a pod may be unable to start: for which trouble how long, and what is said meanwhile and in the end."""

from datetime import timedelta

from finetune_api.failures import Reason
from finetune_operator.conditions import moment, timestamp
from finetune_operator.decide.case import Case
from finetune_operator.decide.pod_trouble import (
    ADMISSION_FAILED,
    IMAGE_PULL_FAILED,
    MISSING_REFERENCE,
    NOT_STARTING,
    POD_REFUSED,
    QUOTA_EXCEEDED,
    UNSCHEDULABLE,
    Trouble,
)

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
    ADMISSION_FAILED: (
        Reason.INTERNAL,
        "have what the message names mended, such as an admission webhook that does not answer, and create a new job",
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


def told(case: Case, found: Trouble) -> str:
    """What is said of a trouble while it lasts: what it is, and where it has a limit, until when and what to do."""
    limit = limit_seconds(case, found)
    if limit is None:
        return found.message
    since = found.since or seen_since(case, found) or timestamp(case.observed.now)
    end = timestamp(moment(since) + timedelta(seconds=limit))
    _, remedy = TOLD[found.kind]
    return f"{found.message.rstrip('.')}. It waits until {end}; meanwhile, {remedy}"


def seen_since(case: Case, found: Trouble) -> str:
    """When the job was first seen to wait for this; empty where that is now."""
    known = case.status.waiting
    return known.since if known and known.reason == found.kind else ""


def limit_seconds(case: Case, found: Trouble) -> float | None:
    """Seconds; None for what has no limit."""
    if found.kind not in TOLD:
        return None
    patience = case.settings
    waits_for_others = found.kind in (UNSCHEDULABLE, QUOTA_EXCEEDED, ADMISSION_FAILED)
    return patience.unschedulable_seconds if waits_for_others else patience.pod_start_seconds
