"""From Kueue's objects to what they say of one Job that waits. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from finetune_operator.observed import Queueing

Wire = Mapping[str, Any]


def read_queueing(workloads: Iterable[Wire], local_queue: Wire | None, pending: Wire | None) -> Queueing:
    """What Kueue says of a Job.

    Args:
        workloads: those that stand for the Job; one, but for the moments in which Kueue makes it anew.
        local_queue: the LocalQueue that the Job names; None where there is none.
        pending: who waits in it (PendingWorkloadsSummary); None where that is not known.

    Source: https://kueue.sigs.k8s.io/docs/reference/kueue.v1beta2/
    """
    spec = (local_queue or {}).get("spec") or {}
    cluster_queue = spec.get("clusterQueue") or ""
    workload = next((w for w in workloads if "deletionTimestamp" not in w["metadata"]), None)
    if workload is None:
        return Queueing(cluster_queue=cluster_queue)
    name = workload["metadata"]["name"]
    return Queueing(
        workload=name,
        cluster_queue=cluster_queue,
        position=_position(name, pending),
        ahead=_ahead(name, pending),
        reserved=_condition(workload, "QuotaReserved").get("status") == "True",
        words="; ".join(_words(workload)),
    )


def _position(name: str, pending: Wire | None) -> int | None:
    """Kueue counts from 0."""
    items = (pending or {}).get("items") or []
    places = (item["positionInClusterQueue"] for item in items if item["metadata"]["name"] == name)
    return next((int(place) + 1 for place in places), None)


def _ahead(name: str, pending: Wire | None) -> tuple[str, ...]:
    """Nobody, where its own place is not known."""
    waiting = sorted((pending or {}).get("items") or [], key=lambda item: int(item["positionInClusterQueue"]))
    names = [str(item["metadata"]["name"]) for item in waiting]
    return tuple(reversed(names[: names.index(name)])) if name in names else ()


def _words(workload: Wire) -> Iterator[str]:
    """Kueue's own: why it took the quota back, and why it gives none now."""
    evicted, quota = _condition(workload, "Evicted"), _condition(workload, "QuotaReserved")
    if (workload.get("spec") or {}).get("active") is False:
        yield "it is deactivated, until somebody sets its spec.active"
    if evicted.get("status") == "True":
        yield f"evicted ({evicted.get('reason')}): {evicted.get('message')}"
    if quota.get("status") == "False" and quota.get("message") != evicted.get("message"):
        yield quota.get("message") or quota.get("reason") or "no quota"
    for check in (workload.get("status") or {}).get("admissionChecks") or []:
        if check.get("state") != "Ready":
            yield f"admission check {check.get('name')} is {check.get('state')}: {check.get('message')}".rstrip(": ")


def _condition(workload: Wire, kind: str) -> Wire:
    conditions = (workload.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == kind), {})
