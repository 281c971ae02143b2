"""The cluster's database; plain HTTP, since only this cluster's network reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api, binaries
from cluster.components.component import Component
from cluster.settings import ETCD_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.settings import Cluster

CLIENT = "http://127.0.0.1:2379"
PEER = "http://127.0.0.1:2380"
HEALTH_PORT = 2381


def unreadable_data(cluster: Cluster) -> Path | None:
    """Where there are data of Debian's etcd 3.4, which 3.6 doesn't read; they lay in a folder without a version."""
    old = cluster.root / "etcd"
    return old if old.exists() else None


def command(cluster: Cluster) -> list[str]:
    return [
        str(binaries.path("etcd")),
        f"--name={cluster.node_name}",
        f"--data-dir={_data(cluster)}",
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


def _data(cluster: Cluster) -> Path:
    """Named for the minor version: no etcd reads the data of one that is two older."""
    return cluster.root / f"etcd-{ETCD_VERSION.rpartition('.')[0]}"


ETCD = Component(name="etcd", command=command, ready=ready)
