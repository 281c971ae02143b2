"""The cluster's node and others: whether one is ready, and the accelerators the cluster's own claims to have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cluster import api
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from cluster.settings import Cluster

GPU = "nvidia.com/gpu"


def path(name: str) -> str:
    return f"/api/v1/nodes/{name}"


def ready(cluster: Cluster, name: str, since: float = 0) -> bool:
    """Whether its kubelet has said so since that time."""
    try:
        node = api.get(cluster, path(name))
    except ClusterError:
        return False
    conditions = {condition["type"]: condition for condition in node["status"].get("conditions", [])}
    condition = conditions.get("Ready", {})
    return condition.get("status") == "True" and _seconds(condition["lastHeartbeatTime"]) >= int(since)


def set_gpus(cluster: Cluster, count: int) -> None:
    """The kubelet keeps resources that it doesn't know, and derives allocatable from capacity."""
    amounts = {GPU: str(count) if count else None}
    api.merge(cluster, f"{path(cluster.node_name)}/status", {"status": {"capacity": amounts, "allocatable": amounts}})


def gpus(cluster: Cluster) -> tuple[int, int]:
    """Capacity and allocatable."""
    status = api.get(cluster, path(cluster.node_name))["status"]
    return int(status["capacity"].get(GPU, 0)), int(status["allocatable"].get(GPU, 0))


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
