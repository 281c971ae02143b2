"""What keeps a child's pod from running: which kind of trouble, in a sentence, and since when."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from finetune_api.failures import FIRST_PERMANENT, LAST_PERMANENT, Reason
from finetune_operator.conditions import moment
from finetune_operator.decide.last_word import decoded
from finetune_operator.decide.queueing import QUEUED, sentence
from finetune_operator.observed import Child, Pod

QUIET = ("", "ContainerCreating", "PodInitializing")
"""A container's waiting reasons that pass by themselves."""
PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
"""The kubelet's words for an image that it cannot get."""
PERMANENT = range(FIRST_PERMANENT, LAST_PERMANENT + 1)
"""Exit codes of what another try can't change."""
BEFORE_CONTAINERS = ("FailedMount", "FailedMapVolume", "FailedAttachVolume", "FailedCreatePodSandBox")
"""The kubelet's and the controllers' warnings about what a pod needs before its containers."""
ABSENT = re.compile(
    r"(secret|configmap|persistentvolumeclaim|serviceaccount|service account)\b[^:]* not found|non-existent"
    r"|no PriorityClass with name \S+ was found"
)
"""In what words it is said that an object is missing which the spec names."""
REFUSED = re.compile(r"is forbidden|denied the request|is invalid")
"""In what words a pod is refused for what it asks; all else is a failure of who was to look at it."""
IMAGE_PULL_FAILED = Reason.IMAGE_PULL_FAILED.value
UNSCHEDULABLE = Reason.UNSCHEDULABLE.value
MISSING_REFERENCE = "MissingReference"
NOT_STARTING = "NotStarting"
QUOTA_EXCEEDED = "QuotaExceeded"
POD_REFUSED = "PodRefused"
ADMISSION_FAILED = "AdmissionFailed"
RETRYING = "Retrying"
WAITING_FOR_JOB = "WaitingForJob"
JOB_REFUSED = "Refused"
NAME_TAKEN = "Taken"
WAITING = (
    QUEUED,
    IMAGE_PULL_FAILED,
    UNSCHEDULABLE,
    MISSING_REFERENCE,
    QUOTA_EXCEEDED,
    POD_REFUSED,
    ADMISSION_FAILED,
    NOT_STARTING,
    RETRYING,
    WAITING_FOR_JOB,
    JOB_REFUSED,
    NAME_TAKEN,
)
"""Reasons of the Reconciling condition while nothing runs."""


@dataclass(frozen=True)
class Trouble:
    kind: str
    """One of WAITING."""
    message: str
    since: str = ""
    """RFC 3339; empty where only the job's status knows: since it was first seen to wait for this."""
    field: str = ""
    """The system's field that it is about, such as .env, where that is known."""


def trouble(child: Child) -> Trouble | None:
    """Why a live child's pod does not run, or why it was started anew; None when it runs, or is about to."""
    if child.suspended:
        return Trouble(QUEUED, sentence(child))
    pod = child.current_pod
    if pod is None:
        return _no_pod(child) or _after_failure(child)
    return _waits(pod) or _bare(child, pod) or (None if pod.running else _after_failure(child))


def _no_pod(child: Child) -> Trouble | None:
    """The API server refuses the Job's pods; a refusal before the last failure is one that was overcome."""
    failed, warned = child.newest_failure, child.warned
    if warned is None or warned.reason != "FailedCreate":
        return None
    if failed and failed.finished_at and moment(warned.said_at) < moment(failed.finished_at):
        return None
    return Trouble(_refusal(warned.message), f"job {child.name} gets no pod: {warned.message}")


def _refusal(words: str) -> str:
    if "exceeded quota" in words:
        return QUOTA_EXCEEDED
    if ABSENT.search(words):
        return MISSING_REFERENCE
    return POD_REFUSED if REFUSED.search(words) else ADMISSION_FAILED


def _bare(child: Child, pod: Pod) -> Trouble | None:
    """The kubelet cannot give the pod what it starts with, such as a volume made from a Secret."""
    warned = child.warned
    if warned is None or not pod.bare or warned.reason not in BEFORE_CONTAINERS:
        return None
    kind = MISSING_REFERENCE if ABSENT.search(warned.message) else NOT_STARTING
    return Trouble(kind, f"pod {pod.name} waits: {warned.reason}: {warned.message}")


def _waits(pod: Pod) -> Trouble | None:
    if pod.waiting_reason not in QUIET:
        words = f"{pod.waiting_reason}: {pod.waiting_message}".rstrip(": ")
        kind, field = _kind(pod.waiting_reason)
        return Trouble(kind, f"pod {pod.name} waits: {words}", field=field)
    if pod.unschedulable:
        kind = MISSING_REFERENCE if ABSENT.search(pod.unschedulable) else UNSCHEDULABLE
        return Trouble(kind, f"pod {pod.name} is not scheduled: {pod.unschedulable}", pod.created_at)
    return None


def _kind(waiting_reason: str) -> tuple[str, str]:
    """And the field it is about."""
    if waiting_reason in PULL_REASONS:
        return IMAGE_PULL_FAILED, ".image"
    if waiting_reason == "CreateContainerConfigError":
        return MISSING_REFERENCE, ".env"
    return NOT_STARTING, ""


def _after_failure(child: Child) -> Trouble | None:
    failed = child.newest_failure
    if failed is None or failed.exit_code in PERMANENT:  # with which its Job is about to fail
        return None
    return Trouble(RETRYING, f"starting again: {_last_word(failed)}")


def _last_word(pod: Pod) -> str:
    message = decoded(pod)
    if message and message.failure:
        return f"pod {pod.name} ended with {message.failure.reason}: {message.failure.message}"
    return f"pod {pod.name} ended with exit code {pod.exit_code}"


def troubled(children: tuple[Child, ...]) -> Iterator[tuple[Child, Trouble]]:
    """The children that are in trouble, each with its own."""
    for child in children:
        if found := trouble(child):
            yield child, found
