"""The scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api, binaries
from cluster.components.component import Component

if TYPE_CHECKING:
    from cluster.settings import Cluster

PORT = 10259


def command(cluster: Cluster) -> list[str]:
    kubeconfig = cluster.config / "kube-scheduler.kubeconfig"
    return [
        str(binaries.path("kube-scheduler")),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={cluster.node_ip}",
        f"--secure-port={PORT}",
        "--leader-elect=false",
    ]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, PORT, "/readyz")


KUBE_SCHEDULER = Component(name="kube-scheduler", command=command, ready=ready, aliases=("scheduler",))
