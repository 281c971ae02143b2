"""From the API server's Jobs and Pods to Child and Pod. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from finetune_operator import labels
from finetune_operator.names import CONTAINER, DISRUPTION, deletion_name
from finetune_operator.observed import Child, Pod

Wire = Mapping[str, Any]


def controller_uid(wire: Wire) -> str:
    """UID of the owner that controls an object; empty for one that nobody does."""
    owners = wire["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def read_children(uid: str, jobs: Iterable[Wire], pods: Iterable[Wire]) -> tuple[tuple[Child, ...], tuple[str, ...]]:
    """The Jobs that belong to the FineTuneJob of this UID, and the names of its pods that outlive their Job."""
    own = [job for job in jobs if controller_uid(job) == uid and _marked(job)]
    found = [pod for pod in pods if not _deletes(pod)]
    children = tuple(sorted((_child(job, found) for job in own), key=lambda child: child.name))
    kept = {child.uid for child in children if not child.deleting}
    strays = tuple(
        sorted(pod.name for wire in found if controller_uid(wire) not in kept and (pod := read_pod(wire)).live)
    )
    return children, strays


def read_deletion(name: str, uid: str, jobs: Iterable[Wire], pods: Iterable[Wire]) -> Child | None:
    """The Job that removes what a FineTuneJob has made. Nobody owns it: a foreground deletion takes what is owned."""
    wanted = deletion_name(name, uid)
    own = (job for job in jobs if job["metadata"]["name"] == wanted and is_deletion_of(uid, job))
    return next((_child(job, pods) for job in own), None)


def is_deletion_of(uid: str, job: Wire) -> bool:
    """Whether a Job is marked as the one that removes what this FineTuneJob has made."""
    marks = job["metadata"].get("labels") or {}
    return not controller_uid(job) and marks.get(labels.JOB_UID) == uid and _deletes(job)


def _deletes(wire: Wire) -> bool:
    return (wire["metadata"].get("labels") or {}).get(labels.KIND) == "delete"


def _marked(job: Wire) -> bool:
    marks = job["metadata"].get("labels") or {}
    return marks.get(labels.KIND) in ("prepare", "stage") and str(marks.get(labels.ATTEMPT, "")).isdigit()


def _child(job: Wire, pods: Iterable[Wire]) -> Child:
    meta, status = job["metadata"], job.get("status") or {}
    marks = meta["labels"]
    finished, condition = _finish(status)
    stage = marks.get(labels.STAGE)
    return Child(
        name=meta["name"],
        uid=meta["uid"],
        kind=marks[labels.KIND],
        attempt=int(marks.get(labels.ATTEMPT, 0)),
        stage=None if stage is None else int(stage),
        deleting="deletionTimestamp" in meta,
        finished=finished,
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        created_at=meta.get("creationTimestamp") or "",
        start_time=status.get("startTime") or "",
        suspended=bool((job.get("spec") or {}).get("suspend")),
        queue=marks.get(labels.QUEUE_NAME, ""),
        pods=tuple(read_pod(pod) for pod in pods if controller_uid(pod) == meta["uid"]),
    )


def _finish(status: Wire) -> tuple[Literal["", "Complete", "Failed"], Wire]:
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True":
            if condition["type"] == "Complete":
                return "Complete", condition
            if condition["type"] == "Failed":
                return "Failed", condition
    return "", {}


def read_pod(wire: Wire) -> Pod:
    meta, status = wire["metadata"], wire.get("status") or {}
    state = _runner(status).get("state") or {}
    ended, waiting = state.get("terminated") or {}, state.get("waiting") or {}
    return Pod(
        name=meta["name"],
        uid=meta.get("uid", ""),
        phase=status.get("phase") or "Pending",
        created_at=meta.get("creationTimestamp") or "",
        scheduled_at=_scheduled(status).get("lastTransitionTime") or "" if not _unschedulable(status) else "",
        ip=status.get("podIP") or "",
        deleting="deletionTimestamp" in meta,
        running="running" in state,
        message=ended.get("message") or "",
        exit_code=ended.get("exitCode"),
        terminated_reason=ended.get("reason") or "",
        finished_at=ended.get("finishedAt") or "",
        waiting_reason=waiting.get("reason") or "",
        waiting_message=waiting.get("message") or "",
        reason=status.get("reason") or "",
        reason_message=status.get("message") or "",
        disrupted=_disrupted(status),
        unschedulable=_unschedulable(status),
        bare=_condition(status, "PodReadyToStartContainers").get("status") == "False",
    )


def _runner(status: Wire) -> Wire:
    """The status of our container: a sidecar that a mesh has put beside it is none of the job's."""
    return next((one for one in status.get("containerStatuses") or [] if one.get("name") == CONTAINER), {})


def _disrupted(status: Wire) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions"""
    condition = _condition(status, DISRUPTION)
    return condition.get("reason") or DISRUPTION if condition.get("status") == "True" else ""


def _unschedulable(status: Wire) -> str:
    condition = _scheduled(status)
    if condition.get("status") != "False" or condition.get("reason") == "SchedulingGated":
        return ""
    return condition.get("message") or condition.get("reason") or "not scheduled"


def _scheduled(status: Wire) -> Wire:
    """The condition PodScheduled; empty before the scheduler has looked."""
    return _condition(status, "PodScheduled")


def _condition(status: Wire, kind: str) -> Wire:
    return next((c for c in status.get("conditions") or [] if c.get("type") == kind), {})
