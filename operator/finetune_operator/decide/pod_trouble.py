"""What keeps a child's pod from running, in a sentence; empty when nothing does."""

from finetune_operator.decide.outcome import decoded
from finetune_operator.observed import Child, Pod

QUIET = ("", "ContainerCreating", "PodInitializing")


def trouble(child: Child) -> str:
    """Why a live child's pod does not run, or why it was started anew."""
    pod = child.current_pod
    if pod and pod.waiting_reason not in QUIET:
        return f"pod {pod.name} waits: {pod.waiting_reason}: {pod.waiting_message}".rstrip(": ")
    if pod and pod.unschedulable:
        return f"pod {pod.name} is not scheduled: {pod.unschedulable}"
    if pod is None or not pod.running:
        return _after_failure(child)
    return ""


def _after_failure(child: Child) -> str:
    failed = child.newest_failure
    return f"starting again: {_last_word(failed)}" if failed else ""


def _last_word(pod: Pod) -> str:
    message = decoded(pod)
    if message and message.failure:
        return f"pod {pod.name} ended with {message.failure.reason}: {message.failure.message}"
    return f"pod {pod.name} ended with exit code {pod.exit_code}"
