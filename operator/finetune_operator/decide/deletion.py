"""Deletion: of a job whose artifact is to go with it, nothing goes before a short Job has removed the artifact.

It never holds up a deletion for long: what can't be removed in time is told, and left. Where nobody was there to act in
time, it is tried once all the same.
"""

import math
from datetime import timedelta

from finetune_api.messages import JobDocument
from finetune_api.plan import plan
from finetune_operator.artifact_uri import place_uri
from finetune_operator.chapter import Chapter
from finetune_operator.conditions import moment
from finetune_operator.decide.acceptance import document_of
from finetune_operator.decide.case import stop
from finetune_operator.decide.grace import grace_seconds
from finetune_operator.decide.last_word import decoded
from finetune_operator.decision import CreateJob, Decision, SetFinalizers
from finetune_operator.labels import FINALIZER
from finetune_operator.manifests.deletion_job import SECONDS, build_deletion_job
from finetune_operator.manifests.pod import GRACE_SECONDS
from finetune_operator.observed import Child, Observed
from finetune_operator.settings import Settings


def claim(observed: Observed) -> Decision | None:
    """Has the job kept until its artifact is removed, before it makes anything; None where that is not asked for."""
    if observed.spec.get("artifactDeletion") != "WithJob" or FINALIZER in observed.finalizers:
        return None
    return Decision(observed.status, (SetFinalizers((*observed.finalizers, FINALIZER)),))


def delete(observed: Observed, settings: Settings) -> Decision:
    """What is to be done for a job that is being deleted: nothing, unless it is kept until its artifact is removed."""
    if FINALIZER not in observed.finalizers:
        return Decision(observed.status)
    document = document_of(observed, settings)
    if document is None:
        return let_go(observed, settings, "its spec can't be read")
    if observed.deletion and observed.deletion.finished == "Complete":
        return _released(observed, Chapter("ArtifactDeleted", f"removed with the job: {_what(document)}"))
    if observed.deletion and observed.deletion.finished:
        return let_go(observed, settings, _why(observed.deletion))
    left = _seconds_left(observed, document)
    if left <= 0 and (observed.deletion or observed.live_children or observed.ending):
        return let_go(observed, settings, "there was no more time")
    return _next_step(observed, settings, document, left if left > 0 else SECONDS)


def is_late(observed: Observed, settings: Settings) -> bool:
    """Whether the time is over in which a removal that can't begin now may be tried again."""
    document = document_of(observed, settings)
    return document is None or _seconds_left(observed, document) <= 0


def let_go(observed: Observed, settings: Settings, why: str) -> Decision:
    """The job goes, and what it has made is left."""
    document = document_of(observed, settings)
    what = _what(document) if document else "what the job has made"
    return _released(observed, Chapter("ArtifactLeft", f"not removed: {what}: {why}", kind="Warning"))


def _next_step(observed: Observed, settings: Settings, document: JobDocument, left: int) -> Decision:
    """First all that works on the job ends, then its artifact is removed."""
    if observed.live_children or observed.ending:
        return Decision(observed.status, stop(observed.live_children), left)
    if observed.deletion:
        return Decision(observed.status, (), left)
    create = CreateJob(build_deletion_job(document, settings, min(left, SECONDS)))
    chapter = Chapter("DeletingArtifact", f"Job {create.name} removes {_what(document)}")
    return Decision(observed.status, (create,), left, (chapter,))


def _released(observed: Observed, chapter: Chapter) -> Decision:
    rest = tuple(name for name in observed.finalizers if name != FINALIZER)
    return Decision(observed.status, (SetFinalizers(rest),), chapters=(chapter,))


def _seconds_left(observed: Observed, document: JobDocument) -> int:
    """Until the job is let go in any case: its pods may take their time to end, and the removal its own."""
    graces = [grace_seconds(observed.status, stage) for stage in plan(document.spec).stages]
    end = moment(observed.deletion_time) + timedelta(seconds=max(GRACE_SECONDS, *graces) + SECONDS)
    if observed.deletion and observed.deletion.created_at:  # which may have begun late
        end = max(end, moment(observed.deletion.created_at) + timedelta(seconds=SECONDS))
    return math.ceil((end - observed.now).total_seconds())


def _what(document: JobDocument) -> str:
    """In words; where it lies."""
    output, store = document.spec.output, document.spec.store
    places = [f"the artifact at {place_uri(output)}"] if output else []
    return " and ".join([*places, f"what {place_uri(store)} keeps of this job alone"])


def _why(deletion: Child) -> str:
    pod = deletion.newest_failure
    message = decoded(pod) if pod else None
    if message and message.failure:
        return f"{message.failure.reason}: {message.failure.message}"
    return f"Job {deletion.name} has failed: {deletion.reason or 'no reason is known'}"
