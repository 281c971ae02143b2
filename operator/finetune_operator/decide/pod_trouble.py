"""What keeps a child's pod from running: which kind of trouble, in a sentence, and since when."""

from collections.abc import Iterator
from dataclasses import dataclass

from finetune_api.failures import FIRST_PERMANENT, LAST_PERMANENT, Reason
from finetune_operator.decide.outcome import decoded
from finetune_operator.observed import Child, Pod

QUIET = ("", "ContainerCreating", "PodInitializing")
"""A container's waiting reasons that pass by themselves."""
PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
"""The kubelet's words for an image that it cannot get."""
PERMANENT = range(FIRST_PERMANENT, LAST_PERMANENT + 1)
"""Exit codes of what another try can't change."""
IMAGE_PULL_FAILED = Reason.IMAGE_PULL_FAILED.value
UNSCHEDULABLE = Reason.UNSCHEDULABLE.value
MISSING_REFERENCE = "MissingReference"
NOT_STARTING = "NotStarting"
RETRYING = "Retrying"
WAITING = (IMAGE_PULL_FAILED, UNSCHEDULABLE, MISSING_REFERENCE, NOT_STARTING, RETRYING)
"""Reasons of the Reconciling condition while nothing runs."""


@dataclass(frozen=True)
class Trouble:
    kind: str
    """One of WAITING."""
    message: str
    since: str = ""
    """RFC 3339; empty for what passes by itself."""


def trouble(child: Child) -> Trouble | None:
    """Why a live child's pod does not run, or why it was started anew; None when it runs, or is about to."""
    pod = child.current_pod
    if pod and (found := _waits(pod)):
        return found
    if pod is None or not pod.running:
        return _after_failure(child)
    return None


def _waits(pod: Pod) -> Trouble | None:
    if pod.waiting_reason not in QUIET:
        words = f"{pod.waiting_reason}: {pod.waiting_message}".rstrip(": ")
        return Trouble(_kind(pod.waiting_reason), f"pod {pod.name} waits: {words}", pod.scheduled_at or pod.created_at)
    if pod.unschedulable:
        return Trouble(UNSCHEDULABLE, f"pod {pod.name} is not scheduled: {pod.unschedulable}", pod.created_at)
    return None


def _kind(waiting_reason: str) -> str:
    if waiting_reason in PULL_REASONS:
        return IMAGE_PULL_FAILED
    return MISSING_REFERENCE if waiting_reason == "CreateContainerConfigError" else NOT_STARTING


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
