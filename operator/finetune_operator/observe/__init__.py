"""Reads the world around one FineTuneJob, always from the API server itself: nothing is decided on a stale cache."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from finetune_operator.kube import Kube, KubeError
from finetune_operator.names import config_map_name
from finetune_operator.observe.children import read_children, read_deletion
from finetune_operator.observe.document import ReadDocument, read_document
from finetune_operator.observe.events import newest_warning
from finetune_operator.observe.kueue import observe_queue
from finetune_operator.observe.status import read_status
from finetune_operator.observed import Observed, Queueing, Reading

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name) of a FineTuneJob."""
Clock = Callable[[], datetime]


async def observe(
    kube: Kube, key: Key, readings: tuple[Reading, ...], *, kueue: bool = False, clock: Clock
) -> Observed | None:
    """What there is of one job; None when it is gone.

    Args:
        kube: the API server.
        key: which job.
        readings: of its pods' progress.
        kueue: also what Kueue says of its suspended Jobs.
        clock: what time it is.

    Raises:
        KubeError: the API server could not be asked.
    """
    namespace, name = key
    wire = await kube.get_fine_tune_job(namespace, name)
    if wire is None:
        return None
    uid = wire["metadata"]["uid"]
    config_map = await kube.get_config_map(namespace, config_map_name(name, uid))
    jobs = await kube.list_jobs_of(namespace, uid)
    pods = await kube.list_pods_of(namespace, uid)
    seen = observed(wire, config_map, jobs, pods, readings=readings, now=clock())
    stuck = [child.stuck_uid for child in seen.children if child.stuck_uid]
    seen = with_warnings(seen, {uid: await _warnings_about(kube, namespace, uid) for uid in stuck})
    waiting = [child for child in seen.live_children if kueue and child.suspended and child.queue]
    return with_queueing(seen, {c.uid: await observe_queue(kube, namespace, c.uid, c.queue) for c in waiting})


async def _warnings_about(kube: Kube, namespace: str, uid: str) -> list[dict[str, Any]]:
    """They only explain: that they can't be read must not keep a job from being suspended, or from its deadline."""
    try:
        return await kube.list_warnings_about(namespace, uid)
    except KubeError as error:
        logger.warning("events about %s in %s: %s", uid, namespace, error)
        return []


def with_warnings(seen: Observed, events: Mapping[str, list[dict[str, Any]]]) -> Observed:
    """The same, each child with the newest of the events about what is stuck of it, by UID. Pure."""
    children = (replace(c, warned=newest_warning(events.get(c.stuck_uid, []), seen.now)) for c in seen.children)
    return replace(seen, children=tuple(children))


def with_queueing(seen: Observed, said: Mapping[str, Queueing]) -> Observed:
    """The same, each child with what Kueue says of it, by UID. Pure."""
    return replace(seen, children=tuple(replace(c, queueing=said.get(c.uid)) for c in seen.children))


def observed(
    wire: Mapping[str, Any],
    config_map: Mapping[str, Any] | None,
    jobs: list[dict[str, Any]],
    pods: list[dict[str, Any]],
    *,
    readings: tuple[Reading, ...],
    now: datetime,
) -> Observed:
    """The API server's answers as plain data; a finished job that stays needs no document. Pure."""
    meta = wire["metadata"]
    children, strays = read_children(meta["uid"], jobs, pods)
    deleted = "deletionTimestamp" in meta
    told = read_status(wire.get("status") or {})
    stays_finished = told.status.terminal and not deleted
    read = ReadDocument() if stays_finished else read_document(config_map, meta, told.status.document_digest)
    return Observed(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        resource_version=meta["resourceVersion"],
        deletion_time=meta.get("deletionTimestamp") or "",
        finalizers=tuple(meta.get("finalizers") or ()),
        spec=wire.get("spec") or {},
        status=told.status,
        status_kept=told.kept,
        document=read.document,
        document_image=read.image,
        document_digest=read.digest,
        unreadable=told.unreadable or read.unreadable,
        children=children,
        strays=strays,
        deletion=read_deletion(meta["name"], meta["uid"], jobs, pods),
        readings=readings,
        now=now,
    )
