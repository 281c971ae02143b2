"""Services' addresses, in nftables tables that only the cluster's network has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cluster import api, binaries
from cluster.components.component import Component

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.settings import Cluster

HEALTH_PORT = 10256


def configuration(cluster: Cluster) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": cluster.node_ip,
        "healthzBindAddress": f"{cluster.node_ip}:{HEALTH_PORT}",
        "hostnameOverride": cluster.node_name,
        "clusterCIDR": cluster.pod_cidr,
        "clientConnection": {"kubeconfig": str(cluster.config / "kube-proxy.kubeconfig")},
        # Pods share one bridge: unless the answer is made to come back through the
        # node, it would go straight to the client, which never asked that address.
        "nftables": {"masqueradeAll": True, "syncPeriod": "30s", "minSyncPeriod": "100ms"},
        "conntrack": {"maxPerCore": 0, "min": 0},
        "oomScoreAdj": 0,
    }


def prepare(cluster: Cluster) -> None:
    _config(cluster).write_text(json.dumps(configuration(cluster), indent=1))


def command(cluster: Cluster) -> list[str]:
    return [str(binaries.path("kube-proxy")), f"--config={_config(cluster)}"]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, HEALTH_PORT, "/healthz", tls=False)


def _config(cluster: Cluster) -> Path:
    return cluster.config / "kube-proxy.json"


KUBE_PROXY = Component(name="kube-proxy", command=command, ready=ready, prepare=prepare)
