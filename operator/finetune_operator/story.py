"""What is worth an event: the difference between the status before and after. Pure."""

from collections.abc import Iterator

from finetune_api.messages import figure_line
from finetune_api.resource.status import ConditionType, FineTuneJobStatus, PassState, PassStatus
from finetune_operator.chapter import Chapter
from finetune_operator.decide.pod_trouble import WAITING
from finetune_operator.decide.queueing import QUEUED

ORDER = (
    "Accepted",
    "PrepareStarted",
    "Prepared",
    "PassSucceeded",
    "StageStarted",
    "Disrupted",
    *WAITING,
    "Suspended",
    "Resumed",
    "GatesPassed",
    "GatesMissed",
    "Published",
    "Complete",
    "Failed",
    "DeletingArtifact",
    "ArtifactDeleted",
    "ArtifactLeft",
)
"""All reasons, as they follow each other when one look finds several."""


def story(before: FineTuneJobStatus, after: FineTuneJobStatus) -> list[Chapter]:
    """The events between two statuses, in the order a reader expects."""
    return [
        *_acceptance(before, after),
        *_preparation(before, after),
        *_passes(before, after),
        *_stages(before, after),
        *_disruptions(before, after),
        *_waiting(before, after),
        *_suspension(before, after),
        *_gates(before, after),
        *_end(before, after),
    ]


def _acceptance(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    if _turned(before, after, ConditionType.ACCEPTED):
        yield Chapter("Accepted", f"the spec is valid; runner image {after.runner_image}")


def _preparation(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    was, now = before.prepare, after.prepare
    if now is None:
        return
    which = str(now.attempt)
    if (was.attempt if was else 0) < now.attempt:
        again = f", attempt {now.attempt}: asking the store what is done" if now.attempt > 1 else ""
        yield Chapter("PrepareStarted", f"Job {now.job_name}{again}", which)
    if now.state is PassState.SUCCEEDED and (was is None or was.state is not PassState.SUCCEEDED):
        done = sum(step.state is PassState.SUCCEEDED for step in after.passes)
        yield Chapter("Prepared", f"{done} of {len(after.passes)} passes are committed already", which)


def _passes(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    old = {step.name: step.state for step in before.passes}
    for place, step in enumerate(after.passes):
        made = step.state is PassState.SUCCEEDED and not step.cache_hit
        if made and old.get(step.name) is not PassState.SUCCEEDED:
            figures = "".join(f", {figure_line(metric)}" for metric in step.metrics)
            size = f", {step.artifact.size_bytes} bytes" if step.artifact else ""
            yield Chapter("PassSucceeded", f"{step.name}{figures}{size}", step.name, place=place)


def _stages(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    known = {step.job_name for step in before.passes}
    started: dict[str, list[PassStatus]] = {}
    for step in after.passes:
        if step.job_name and step.job_name not in known:
            started.setdefault(step.job_name, []).append(step)
    for job, steps in started.items():
        yield Chapter("StageStarted", f"Job {job} runs {', '.join(step.name for step in steps)}", job)


def _disruptions(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    was, now = before.disruptions, after.disruptions
    if now is None or (was and was.newest_pod.uid == now.newest_pod.uid):
        return
    pod = now.newest_pod
    so_far = f"; in a row without a new checkpoint of {now.pass_ or 'any pass'}: {now.count}" if now.count else ""
    yield Chapter("Disrupted", f"pod {pod.name}: {pod.reason}{so_far}", pod.uid, kind="Warning")


def _waiting(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    """Told when it begins, not again while it lasts."""
    was, now = before.condition(ConditionType.RECONCILING), after.condition(ConditionType.RECONCILING)
    if now and now.reason in WAITING and (was is None or was.reason != now.reason):
        yield Chapter(now.reason, now.message, now.message, kind="Normal" if now.reason == QUEUED else "Warning")


def _suspension(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    was, now = before.condition(ConditionType.SUSPENDED), after.condition(ConditionType.SUSPENDED)
    if now is None or (was and was.reason == now.reason):
        return
    if now.reason in ("Suspended", "Resumed"):
        yield Chapter(now.reason, now.message, str(after.observed_generation))


def _gates(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    was, now = before.condition(ConditionType.GATES_PASSED), after.condition(ConditionType.GATES_PASSED)
    if now is None or (was and was.status == now.status):
        return
    if now.status == "True":
        yield Chapter("GatesPassed", now.message)
    else:
        yield Chapter("GatesMissed", now.message, kind="Warning")


def _end(before: FineTuneJobStatus, after: FineTuneJobStatus) -> Iterator[Chapter]:
    if after.artifacts and not before.artifacts:
        artifact = after.artifacts[0]
        yield Chapter("Published", f"{artifact.uri} {artifact.digest}")
    if _turned(before, after, ConditionType.COMPLETE):
        yield Chapter("Complete", "all passes are committed")
    if _turned(before, after, ConditionType.FAILED) and after.failure:
        told = after.condition(ConditionType.FAILED)
        yield Chapter("Failed", f"{after.failure.reason}: {told.message if told else ''}", kind="Warning")


def _turned(before: FineTuneJobStatus, after: FineTuneJobStatus, kind: ConditionType) -> bool:
    return after.holds(kind) and not before.holds(kind)
