"""All of Kubernetes' own controllers: Jobs, tokens, garbage collection and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api, binaries
from cluster.components.component import Component

if TYPE_CHECKING:
    from cluster.settings import Cluster

PORT = 10257


def command(cluster: Cluster) -> list[str]:
    certs, kubeconfig = cluster.certs, cluster.config / "kube-controller-manager.kubeconfig"
    return [
        str(binaries.path("kube-controller-manager")),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={cluster.node_ip}",
        f"--secure-port={PORT}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={certs / 'service-accounts.key'}",
        f"--root-ca-file={certs / 'ca.crt'}",
        f"--cluster-signing-cert-file={certs / 'ca.crt'}",
        f"--cluster-signing-key-file={certs / 'ca.key'}",
    ]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, PORT, "/healthz")


KUBE_CONTROLLER_MANAGER = Component(
    name="kube-controller-manager", command=command, ready=ready, aliases=("controller-manager",)
)
