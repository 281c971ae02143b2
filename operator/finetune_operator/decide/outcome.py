"""What finished pods said, folded into status: passes committed, figures, the published artifact."""

import base64
from binascii import Error as Base64Error
from collections.abc import Iterator

from finetune_api.messages import Headline, PassOutcome, Published, TerminationMessage, metric_values
from finetune_api.plan import PlannedPass
from finetune_api.resource.status import (
    Artifact,
    FineTuneJobStatus,
    MetricValue,
    NamedArtifact,
    PassState,
    PassStatus,
    PrepareStatus,
)
from finetune_operator.artifact_uri import pass_uri, published_uri
from finetune_operator.conditions import timestamp
from finetune_operator.decide.case import Case
from finetune_operator.decide.gate_outcome import with_gates, with_skipped
from finetune_operator.decide.last_word import final_message, missed_gates, said, stage_children
from finetune_operator.names import prepare_name
from finetune_operator.observed import Child


def record_outcomes(case: Case) -> FineTuneJobStatus:
    """Status with all that the children of the current attempt have said. Doing it twice changes nothing."""
    status = _aligned(case)
    prepare = next((c for c in case.observed.children if (c.kind, c.attempt) == ("prepare", case.attempt)), None)
    message = final_message(prepare) or missed_gates(prepare)
    if status.prepare and status.prepare.state is not PassState.SUCCEEDED and message:
        status = _prepared(case.with_status(status), message)
    for child in stage_children(case):
        status = _stage_recorded(case.with_status(status), child)
    return with_skipped(case.with_status(status))


def _aligned(case: Case) -> FineTuneJobStatus:
    """One entry a pass, in the plan's order; the prepare attempt that counts."""
    known = {step.name: step for step in case.status.passes}
    passes = [known.get(step.name) or PassStatus(name=step.name) for step in case.plan.passes]
    prepare = case.status.prepare or PrepareStatus(
        attempt=1, job_name=prepare_name(case.document.name, case.document.uid, 1)
    )
    return case.status.model_copy(update={"passes": passes, "prepare": prepare})


def _prepared(case: Case, message: TerminationMessage) -> FineTuneJobStatus:
    """Prepare has read the store: what it does not find committed is to be made, whatever was believed before."""
    found = {outcome.index: outcome for outcome in message.passes}
    passes = [
        _as_found(case, step, known, found.get(step.index), message.headlines)
        for step, known in zip(case.plan.passes, case.status.passes, strict=True)
    ]
    prepare = case.prepare.model_copy(update={"state": PassState.SUCCEEDED})
    status = case.status.model_copy(update={"passes": passes, "prepare": prepare})
    status = with_gates(case.with_status(status), message)
    return _published(case.with_status(status), message.published)


def _as_found(
    case: Case, step: PlannedPass, known: PassStatus, outcome: PassOutcome | None, headlines: list[Headline]
) -> PassStatus:
    if outcome is None or not outcome.digest:
        key = outcome.key if outcome else known.cache_key
        figures = metric_values(headlines, step.index)
        return PassStatus(
            name=step.name, cache_key=key, job_name=known.job_name, attempts=known.attempts, metrics=figures
        )
    hit = not known.job_name
    return _committed(case, step, known.model_copy(update={"cache_hit": hit}), outcome, headlines)


def _committed(
    case: Case, step: PlannedPass, known: PassStatus, outcome: PassOutcome, headlines: list[Headline]
) -> PassStatus:
    uri = pass_uri(case.document, outcome.key)
    artifact = Artifact(uri=uri, digest=hex_digest(outcome.digest), size_bytes=outcome.size_bytes)
    return known.model_copy(
        update={
            "state": PassState.SUCCEEDED,
            "cache_key": outcome.key,
            "artifact": artifact,
            "metrics": _with_those_left_out(metric_values(headlines, step.index), known, artifact),
            "completion_time": known.completion_time or timestamp(case.observed.now),
        }
    )


def _with_those_left_out(told: list[MetricValue], known: PassStatus, artifact: Artifact) -> list[MetricValue]:
    """A message has room for some figures of other stages' passes; what was known of the same output stays."""
    if known.artifact is None or known.artifact.digest != artifact.digest:
        return told or known.metrics
    names = {figure.name for figure in told}
    return [*told, *(figure for figure in known.metrics if figure.name not in names)]


def _stage_recorded(case: Case, child: Child) -> FineTuneJobStatus:
    status = case.status
    for message in said(case, child):
        passes = list(_with_message(case.with_status(status), child, message))
        status = status.model_copy(update={"passes": passes})
        if child.finished:
            status = with_gates(case.with_status(status), message)
        if child.finished == "Complete":
            status = _published(case.with_status(status), message.published)
    return _counted(case, status, child)


def _with_message(case: Case, child: Child, message: TerminationMessage) -> Iterator[PassStatus]:
    """The passes of the child's stage that its pod found or made committed."""
    own = {step.index for step in case.plan.stages[child.stage or 0].passes}
    committed = {outcome.index: outcome for outcome in message.passes if outcome.digest and outcome.index in own}
    for step, known in zip(case.plan.passes, case.status.passes, strict=True):
        outcome = committed.get(step.index)
        yield _committed(case, step, known, outcome, message.headlines) if outcome else known


def _counted(case: Case, status: FineTuneJobStatus, child: Child) -> FineTuneJobStatus:
    """Which Job a pass ran in, since when, and how many pods that took so far."""
    own = {step.name for step in case.plan.stages[child.stage or 0].passes}
    passes = [
        step.model_copy(
            update={
                "job_name": child.name,
                "attempts": max(step.attempts, len(child.pods)),
                "start_time": step.start_time or child.start_time or None,
            }
        )
        if step.name in own and not step.cache_hit
        else step
        for step in status.passes
    ]
    return status.model_copy(update={"passes": passes})


def _published(case: Case, published: Published | None) -> FineTuneJobStatus:
    if published is None or published.index >= len(case.plan.passes):
        return case.status
    key = case.status.passes[published.index].cache_key
    artifact = NamedArtifact(
        name="model",
        uri=published.uri or published_uri(case.document, key),
        digest=hex_digest(published.digest),
        size_bytes=published.size_bytes,
        format=published.format[:32],
        pass_=case.plan.passes[published.index].name,
        verified_on=published.verified_on,
    )
    return case.status.model_copy(update={"artifacts": [artifact]})


def hex_digest(text: str) -> str:
    """base64url without padding → sha256:<hex>; what is no digest stays as it is."""
    try:
        return "sha256:" + base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except Base64Error:
        return text
