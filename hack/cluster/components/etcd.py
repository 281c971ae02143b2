"""The cluster's database; plain HTTP, since only this cluster's network reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api
from cluster.components.component import Component

if TYPE_CHECKING:
    from cluster.settings import Cluster

CLIENT = "http://127.0.0.1:2379"
PEER = "http://127.0.0.1:2380"
HEALTH_PORT = 2381


def command(cluster: Cluster) -> list[str]:
    return [
        "/usr/bin/etcd",
        f"--name={cluster.node_name}",
        f"--data-dir={cluster.root / 'etcd'}",
        f"--listen-client-urls={CLIENT}",
        f"--advertise-client-urls={CLIENT}",
        f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={PEER}",
        f"--initial-cluster={cluster.node_name}={PEER}",
        f"--listen-metrics-urls=http://{cluster.node_ip}:{HEALTH_PORT}",
        "--quota-backend-bytes=4294967296",
        "--auto-compaction-retention=10m",
        "--logger=zap",
    ]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, HEALTH_PORT, "/health", tls=False)


ETCD = Component(name="etcd", command=command, ready=ready)
