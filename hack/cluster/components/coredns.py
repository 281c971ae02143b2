"""Names of Services, answered by a process beside the node rather than by a pod on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import api, binaries, roles
from cluster.components.component import Component
from cluster.settings import CLUSTER_DOMAIN, Cluster

if TYPE_CHECKING:
    from pathlib import Path

READY_PORT = 8181

COREFILE = """\
.:53 {{
    bind {ip}
    ready {ip}:{port}
    errors
    cache 5
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
"""

USER = "finetune:coredns"
RULES = [
    {"apiGroups": [""], "resources": ["services", "pods", "namespaces", "nodes"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def prepare(cluster: Cluster) -> None:
    kubeconfig = cluster.config / "coredns.kubeconfig"
    content = COREFILE.format(ip=cluster.node_ip, port=READY_PORT, domain=CLUSTER_DOMAIN, kubeconfig=kubeconfig)
    _config(cluster).write_text(content)
    roles.grant(cluster, USER, RULES)


def command(cluster: Cluster) -> list[str]:
    return [str(binaries.path("coredns")), f"-conf={_config(cluster)}"]


def ready(cluster: Cluster) -> bool:
    return api.answers(cluster, READY_PORT, "/ready", tls=False)


def _config(cluster: Cluster) -> Path:
    return cluster.config / "Corefile"


COREDNS = Component(name="coredns", command=command, ready=ready, prepare=prepare)
