"""Nodes that kwok simulates: as many as a cluster is to have, for pods that tolerate their taint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api, nodes, waiting
from cluster.components import kwok

if TYPE_CHECKING:
    from cluster.settings import Cluster

TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
AMOUNTS = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
READY_SECONDS = 60


def set_count(cluster: Cluster, count: int) -> None:
    """Add or remove some and wait until all are ready; the pods of a removed one go as those of any lost node."""
    wanted = {f"kwok-{number}" for number in range(count)}
    there = _names(cluster)
    for name in there - wanted:
        api.delete(cluster, nodes.path(name))
    for name in wanted - there:
        api.apply(cluster, nodes.path(name), _node(name))
    waiting.until(lambda: all(nodes.ready(cluster, name) for name in wanted), READY_SECONDS, "the kwok nodes are ready")


def _names(cluster: Cluster) -> set[str]:
    found = api.get(cluster, f"/api/v1/nodes?labelSelector={kwok.NODES}")
    return {node["metadata"]["name"] for node in found["items"]}


def _node(name: str) -> api.Object:
    key, _, value = kwok.NODES.partition("=")
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {key: value, "kubernetes.io/hostname": name}},
        "spec": {"taints": [TAINT]},
        "status": {"capacity": AMOUNTS, "allocatable": AMOUNTS},
    }
