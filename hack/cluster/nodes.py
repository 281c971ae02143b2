"""The cluster's node: whether it is ready, and the accelerators it claims to have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cluster import api
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from cluster.settings import Cluster

GPU = "nvidia.com/gpu"


def ready(cluster: Cluster, since: float = 0) -> bool:
    """Whether its kubelet has said so since that time."""
    try:
        node = api.get(cluster, _path(cluster))
    except ClusterError:
        return False
    conditions = {condition["type"]: condition for condition in node["status"].get("conditions", [])}
    condition = conditions.get("Ready", {})
    return condition.get("status") == "True" and _seconds(condition["lastHeartbeatTime"]) >= int(since)


def set_gpus(cluster: Cluster, count: int) -> None:
    """The kubelet keeps resources that it doesn't know, and derives allocatable from capacity."""
    amounts = {GPU: str(count) if count else None}
    api.merge(cluster, f"{_path(cluster)}/status", {"status": {"capacity": amounts, "allocatable": amounts}})


def gpus(cluster: Cluster) -> tuple[int, int]:
    """Capacity and allocatable."""
    status = api.get(cluster, _path(cluster))["status"]
    return int(status["capacity"].get(GPU, 0)), int(status["allocatable"].get(GPU, 0))


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _path(cluster: Cluster) -> str:
    return f"/api/v1/nodes/{cluster.node_name}"
