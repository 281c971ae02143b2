"""The kubelet: this machine as the cluster's one node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cluster import api, binaries, cgroups, nodes, processes
from cluster.components.component import Component
from cluster.settings import CLUSTER_DOMAIN, Cluster

if TYPE_CHECKING:
    from pathlib import Path

MAX_PODS = 110
HEALTH_PORT = 10248


def configuration(cluster: Cluster) -> dict[str, object]:
    certs = cluster.certs
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": cluster.node_ip,
        "healthzBindAddress": cluster.node_ip,
        "healthzPort": HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certs / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certs / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(certs / "kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{cluster.containerd_socket}",
        # A second kubelet on the machine would otherwise clean up this one's.
        "podLogsDir": str(cluster.root / "pod-logs"),
        "cgroupRoot": f"/{cluster.cgroup}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        # The machine may not be allowed to lower a process's score.
        "oomScoreAdj": 0,
        "clusterDNS": [cluster.node_ip],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": "",
        "maxPods": MAX_PODS,
        "serializeImagePulls": False,
        # Never for want of disk: reclaiming it, the kubelet removes images, and nothing could pull them again.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def prepare(cluster: Cluster) -> None:
    cgroups.ensure(cluster)
    _config(cluster).write_text(json.dumps(configuration(cluster), indent=1))


def command(cluster: Cluster) -> list[str]:
    return [
        str(binaries.path("kubelet")),
        f"--config={_config(cluster)}",
        f"--kubeconfig={cluster.config / 'kubelet.kubeconfig'}",
        f"--root-dir={cluster.root / 'kubelet'}",
        f"--cert-dir={cluster.root / 'kubelet/pki'}",
        f"--hostname-override={cluster.node_name}",
        f"--node-ip={cluster.node_ip}",
    ]


def ready(cluster: Cluster) -> bool:
    """The node looks ready for a while after its kubelet died, so only this kubelet's own word counts."""
    healthy = api.answers(cluster, HEALTH_PORT, "/healthz", tls=False)
    return healthy and nodes.ready(cluster, cluster.node_name, processes.started_at(cluster, "kubelet"))


def _config(cluster: Cluster) -> Path:
    return cluster.config / "kubelet.json"


KUBELET = Component(name="kubelet", command=command, ready=ready, prepare=prepare)
