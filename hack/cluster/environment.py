"""What a shell or a test needs to know to use a cluster."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from cluster import binaries, settings

if TYPE_CHECKING:
    from cluster.settings import Cluster


NO_PROXY = ("NO_PROXY", "no_proxy")


def variables(cluster: Cluster) -> dict[str, str]:
    path = [str(cluster.bin), *(part for part in os.environ.get("PATH", "").split(":") if part != str(cluster.bin))]
    return {
        "FINETUNE_CLUSTER": cluster.name,
        **dict.fromkeys(NO_PROXY, _direct(cluster)),
        "KUBECONFIG": str(cluster.kubeconfig),
        "PATH": ":".join(path),
        "CONTAINERD_ADDRESS": str(cluster.containerd_socket),
        "CONTAINERD_NAMESPACE": "k8s.io",
        "NODE_NAME": cluster.node_name,
        "NODE_IP": cluster.node_ip,
        "HOST_IP": cluster.host_ip,
        "LOGS": str(cluster.logs),
        "S3_ENDPOINT": cluster.s3_endpoint,
        "S3_CLUSTER_ENDPOINT": settings.S3_CLUSTER_ENDPOINT,
        "S3_REGION": settings.S3_REGION,
        "S3_ACCESS_KEY": settings.S3_ACCESS_KEY,
        "S3_SECRET_KEY": settings.S3_SECRET_KEY,
    }


def _direct(cluster: Cluster) -> str:
    """What no proxy leads to: the machine itself and the cluster, beside what is known already."""
    known = next((value for name in NO_PROXY if (value := os.environ.get(name))), "")
    named = [*known.split(","), "localhost", "127.0.0.1", cluster.node_ip, *cluster.networks]
    return ",".join(dict.fromkeys(name for name in named if name))


def exports(cluster: Cluster) -> str:
    """Lines for ``eval``."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables(cluster).items())


def link_programs(cluster: Cluster) -> None:
    """One folder with this cluster's programs, so that nobody depends on the machine's own."""
    cluster.bin.mkdir(parents=True, exist_ok=True)
    for name, program in binaries.available().items():
        link = cluster.bin / name
        if not link.is_symlink() or link.readlink() != program:
            link.unlink(missing_ok=True)
            link.symlink_to(program)
