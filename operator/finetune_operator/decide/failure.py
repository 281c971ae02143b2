"""Failure: why a child Job failed, by the best witness there is: the pod's message, its state, the Job's condition."""

import re
from typing import Any

from finetune_api.failures import Reason, reason_of_exit_code
from finetune_api.messages import FailureMessage
from finetune_api.plan import Stage
from finetune_api.redaction import without_logins
from finetune_api.resource.status import FailureStatus, PassState
from finetune_operator.conditions import clip
from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.deadline import deadline_exceeded
from finetune_operator.decide.ending import failed
from finetune_operator.decide.last_word import decoded, gave_way_to
from finetune_operator.decide.remaking import found_damaged
from finetune_operator.observed import Child, Pod

PREPARE = "prepare"
TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.OUT_OF_HOST_MEMORY: (
        "the pod used more memory than its limit",
        "raise the memory in the system's resources, or lower perDeviceTrainBatchSize or maxSeqLen",
    ),
    Reason.OUT_OF_DISK: (
        "the pod used more scratch space than it may",
        "raise scratchSize of the system",
    ),
    Reason.EVICTED: (
        "the pod was evicted, more often than backoffLimit allows",
        "have the pod request what it uses (the system's resources), or run it elsewhere; committed passes are reused",
    ),
    Reason.INTERRUPTED: (
        "the pod was stopped from outside, more often than backoffLimit allows",
        "see who evicts or deletes it, or raise backoffLimit; committed passes are reused",
    ),
}
"""Cause and remedy where no pod could speak for itself."""
TOO_SMALL = (Reason.OUT_OF_HOST_MEMORY, Reason.OUT_OF_DISK)
"""Failures for what the system gives a pod."""
UNKNOWN = ("the pod ended without saying why", "read logTail, and the pod's log: kubectl logs {pod}")


def fail(case: Case) -> Verdict | None:
    """Failed, as soon as a child Job has failed: its retries are used up, or retrying makes no sense.

    Where memory or scratch space is too little it makes none, which no exit code tells the Job controller.
    """
    counting = [child for child in case.observed.children if child.attempt == case.attempt]
    children = [child for child in counting if not found_damaged(case, child)]
    if child := next((c for c in children if c.finished == "Failed" or _in_vain(c)), None):
        return failed(case, failure_of(case, child))
    if child := next((c for c in children if _without_result(case, c)), None):
        return failed(case, _silent(case, child))
    return None


def _in_vain(child: Child) -> bool:
    """Whether the next pod would end as the last one did; one that runs already is let be."""
    pod, following = child.newest_failure, child.current_pod
    if not child.live or pod is None or pod.disrupted or (following and following.running):
        return False
    return _reason(pod) in TOO_SMALL


def _without_result(case: Case, child: Child) -> bool:
    """Whether a Job completed, its pod is there to be read, and yet it doesn't say what its work came to."""
    if child.finished != "Complete" or child.ended_well is None or child.attempt != case.attempt:
        return False
    if child.kind == PREPARE:
        return case.prepare.state is not PassState.SUCCEEDED
    stage = _stage(case, child)
    return stage is not None and not case.done(stage) and not gave_way_to(child)


def _silent(case: Case, child: Child) -> FailureStatus:
    pod = child.ended_well
    name, message = (pod.name, pod.message) if pod else ("", "")
    return _failure(
        where(case, child),
        Reason.INTERNAL,
        "the pod ended well, but without saying that its work is committed",
        remedy=f"use a runner image that fits the operator, and read the pod's log: kubectl logs {name}",
        pod=name,
        exitCode=0,
        logTail=clip(without_logins(message)),
    )


def failure_of(case: Case, child: Child) -> FailureStatus:
    pod = child.newest_failure
    if child.reason == "DeadlineExceeded":
        return deadline_exceeded(where(case, child), case.document.spec.active_deadline_seconds)
    if pod is None:
        return _told_by_job(case, child)
    if said := _own_word(pod):
        return _told_by_pod(case, child, pod, said)
    return _told_by_state(case, child, pod, log_tail=_log_tail(pod))


def _log_tail(pod: Pod) -> str:
    """What the termination message has of the log: all that it is, where the pod wrote none."""
    message = decoded(pod)
    if message is None:
        return pod.message
    return message.failure.log if message.failure else ""


def _own_word(pod: Pod) -> FailureMessage | None:
    """Why it failed, where the pod knew more than that it was asked to stop."""
    message = decoded(pod)
    said = message.failure if message else None
    return None if said is None or _only_stopped(pod, said) else said


def _reason(pod: Pod) -> Reason:
    said = _own_word(pod)
    return said.reason if said else reason_of_state(pod)


def _only_stopped(pod: Pod, said: FailureMessage) -> bool:
    """A pod that is evicted knows no more than that it was asked to stop."""
    return said.reason is Reason.INTERRUPTED and reason_of_state(pod) in (Reason.OUT_OF_DISK, Reason.EVICTED)


def _told_by_pod(case: Case, child: Child, pod: Pod, said: FailureMessage) -> FailureStatus:
    return _failure(
        "" if said.reason is Reason.GATE_FAILED else where(case, child, said.index),
        said.reason,
        said.message or "no message",
        remedy=said.remedy,
        path=said.path,
        pod=pod.name,
        exitCode=pod.exit_code,
        logTail=clip(without_logins(said.log)),
    )


def _told_by_state(case: Case, child: Child, pod: Pod, log_tail: str) -> FailureStatus:
    reason = reason_of_state(pod)
    text, remedy = TEXTS.get(reason, UNKNOWN)
    detail = f": {pod.reason_message}" if pod.reason_message else ""
    return _failure(
        where(case, child),
        reason,
        text + detail,
        remedy=remedy.format(pod=pod.name),
        path=system_path(case, child) if reason in TOO_SMALL else "",
        pod=pod.name,
        exitCode=pod.exit_code,
        logTail=clip(without_logins(log_tail)),
    )


def reason_of_state(pod: Pod) -> Reason:
    """The reason that a failed pod's state stands for."""
    if pod.terminated_reason == "OOMKilled":
        return Reason.OUT_OF_HOST_MEMORY
    if pod.reason == "Evicted":
        full = re.search(r"ephemeral|EmptyDir|disk", pod.reason_message)
        return Reason.OUT_OF_DISK if full else Reason.EVICTED
    if pod.exit_code is None:
        return Reason.INTERRUPTED
    if pod.exit_code == 137:  # noqa: PLR2004 - killed, but not for memory: by the kubelet or from outside
        return Reason.INTERRUPTED
    return reason_of_exit_code(pod.exit_code)


def _told_by_job(case: Case, child: Child) -> FailureStatus:
    """The pods are gone; the Job controller's message may still hold the exit code."""
    if child.reason == "BackoffLimitExceeded":  # ended pods stay while their Job does, unless somebody deletes them
        text, remedy = TEXTS[Reason.INTERRUPTED]
        return _failure(where(case, child), Reason.INTERRUPTED, f"{text}: none of {child.name} is left", remedy=remedy)
    code = re.search(r"exit code (\d+)", child.message)
    reason = reason_of_exit_code(int(code[1])) if code else Reason.INTERNAL
    text = f"Job {child.name} failed and its pods are gone: {child.message or child.reason or 'no reason given'}"
    remedy = "create the job anew under another name; committed passes are reused"
    return _failure(where(case, child), reason, text, remedy=remedy, exitCode=int(code[1]) if code else None)


def _failure(step: str, reason: Reason, message: str, **more: Any) -> FailureStatus:
    """Without logins in addresses: pods, those of custom images among them, may quote one."""
    told = {name: without_logins(text) if isinstance(text, str) else text for name, text in more.items()}
    message = clip(without_logins(message))
    return FailureStatus.model_validate({"pass": step, "reason": reason, "message": message} | told)


def where(case: Case, child: Child, index: int | None = None) -> str:
    """The pass that failed: named by the pod, else the one that ran, else the stage's first that isn't committed."""
    if child.kind == PREPARE:
        return PREPARE
    if index is not None and index < len(case.plan.passes):
        return case.plan.passes[index].name
    stage = _stage(case, child)
    open_passes = [s.name for s in stage.passes if case.pass_state(s.name) != "Succeeded"] if stage else []
    current = case.status.current_pass
    return current if current in open_passes else next(iter(open_passes), "")


def _stage(case: Case, child: Child) -> Stage | None:
    return next((stage for stage in case.plan.stages if stage.index == child.stage), None)


def system_path(case: Case, child: Child) -> str:
    """The system that the child runs on, in the spec; empty for prepare."""
    stage = _stage(case, child)
    if stage is None:
        return ""
    names = [system.name for system in case.document.spec.systems]
    return f"spec.systems[{names.index(stage.system.name)}]"
