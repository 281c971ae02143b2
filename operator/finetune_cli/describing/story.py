"""A FineTuneJob's status, told. Pure."""

from collections.abc import Iterator
from datetime import datetime

from finetune_api.gates import judged
from finetune_api.messages import figure_line
from finetune_api.resource.status import (
    ConditionType,
    FailureStatus,
    FineTuneJobStatus,
    GateStatus,
    NamedArtifact,
    PassState,
    PassStatus,
)
from finetune_cli.local.display import figures
from finetune_cli.words import between, columns, duration, moment, size

PREPARE = "prepare"


def story(name: str, namespace: str, status: FineTuneJobStatus, now: datetime) -> str:
    """All that a person asks of a job, in lines: how it stands, its passes, gates and artifact, and why it failed.

    Args:
        name: the job's.
        namespace: the job's.
        status: the job's.
        now: what running times are counted to.
    """
    parts = [
        [f"FineTuneJob {name} in namespace {namespace}", *_standing(status, now)],
        _section("Passes", _passes(status, now)),
        _section("Gates", columns([_gate(gate) for gate in status.gates])),
        _section("Artifact", [line for artifact in status.artifacts for line in _artifact(artifact)]),
        _section("Failure", list(_failure(status.failure)) if status.failure else []),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _standing(status: FineTuneJobStatus, now: datetime) -> list[str]:
    """Phase, how long, what it waits for, and what accelerators it held."""
    took = between(moment(status.start_time), moment(status.completion_time) or now)
    word = status.phase or "not seen by the operator yet"
    since = (" after " if status.completion_time else ", for ") + took if took else ""
    told = [("phase", word + since)]
    if status.failure:
        told.append(("reason", status.failure.reason))
    told += _waiting(status, now)
    told += _disruptions(status)
    if status.accelerator_seconds is not None:
        told.append(("accelerators", f"held for {duration(status.accelerator_seconds)}, times devices"))
    return columns(told)


def _waiting(status: FineTuneJobStatus, now: datetime) -> Iterator[tuple[str, str]]:
    going_on = status.condition(ConditionType.RECONCILING)
    if not status.terminal and going_on and going_on.message:
        since = between(moment(status.waiting.since), now) if status.waiting else ""
        label = "waits for" if status.waiting else "now"
        yield label, f"{going_on.reason}: {going_on.message}" + (f" (for {since})" if since else "")
    suspended = status.condition(ConditionType.SUSPENDED)
    if status.holds(ConditionType.SUSPENDED) and suspended and suspended.message:
        yield "suspended", suspended.message
    unreachable = status.condition(ConditionType.PROGRESS_UNREACHABLE)
    if status.holds(ConditionType.PROGRESS_UNREACHABLE) and unreachable:
        yield "progress", f"can't be read: {unreachable.message}"
    for outage in (said.outage for said in (status.prepare, status.progress) if said and said.outage):
        yield "away", f"{outage.message} (for {between(moment(outage.since), now)})"


def _disruptions(status: FineTuneJobStatus) -> Iterator[tuple[str, str]]:
    known = status.disruptions
    if known and known.count and not status.terminal:
        step = f", the newest is that of step {known.checkpoint_step}" if known.checkpoint_step else ""
        times = "once" if known.count == 1 else f"{known.count} times in a row"
        yield (
            "disrupted",
            f"{times} without a new checkpoint of {known.pass_ or 'any pass'}{step} ({known.newest_pod.reason})",
        )


def _passes(status: FineTuneJobStatus, now: datetime) -> list[str]:
    rows = [_prepare_row(status)] if status.prepare else []
    return columns([*rows, *(_pass_row(step, status, now) for step in status.passes)])


def _prepare_row(status: FineTuneJobStatus) -> tuple[str, str, str, str]:
    prepare = status.prepare
    assert prepare is not None  # noqa: S101  the caller has looked
    again = f"asked for {prepare.attempt} times" if prepare.attempt > 1 else ""
    return PREPARE, prepare.state, "", again


def _pass_row(step: PassStatus, status: FineTuneJobStatus, now: datetime) -> tuple[str, str, str, str]:
    running = step.state is PassState.RUNNING
    end = moment(step.completion_time) or (now if running else moment(status.completion_time))
    began = step.state is not PassState.PENDING and not step.cache_hit
    took = between(moment(step.start_time), end) if began else ""
    more = [
        "found in the store" if step.cache_hit else "",
        f"{step.attempts} attempts" if step.attempts > 1 else "",
        figures(status.progress).strip() if running and status.progress and status.progress.pass_ == step.name else "",
        *(figure_line(metric) for metric in step.metrics),
        size(step.artifact.size_bytes) if step.artifact and step.artifact.size_bytes else "",
    ]
    return step.name, step.state, took, ", ".join(part for part in more if part)


def _gate(gate: GateStatus) -> tuple[str, str]:
    value = f": {gate.value}" if gate.value else ""
    return judged(gate.passed), f"{gate.metric} after {gate.after}{value} ({gate.requirement})"


def _artifact(artifact: NamedArtifact) -> list[str]:
    facts = [artifact.format, size(artifact.size_bytes), f"made by {artifact.pass_}" if artifact.pass_ else ""]
    return [f"  {artifact.uri}", f"  {', '.join(fact for fact in facts if fact)}", f"  {artifact.digest}"]


def _failure(failure: FailureStatus) -> Iterator[str]:
    """Where, what, what to do, and the log's last lines."""
    told = {
        "reason": failure.reason,
        "pass": failure.pass_,
        "pod": failure.pod,
        "place": failure.path,
        "exit code": "" if failure.exit_code is None else str(failure.exit_code),
        "cause": failure.message,
        "remedy": failure.remedy,
    }
    lines = [(name, text) for name, value in told.items() if value for name, text in _lines(name, value)]
    yield from columns(lines)
    if failure.log_tail:
        yield "  the log's last lines"
        yield from (f"    {line}" for line in failure.log_tail.splitlines())


def _lines(name: str, value: str) -> list[tuple[str, str]]:
    """A value's lines, the name before the first."""
    return [(name if at == 0 else "", line) for at, line in enumerate(value.splitlines())]
