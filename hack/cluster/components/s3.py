"""An S3 server over a folder, at the node's address."""

from __future__ import annotations

import socket

from cluster import binaries
from cluster.components.component import Component
from cluster.settings import S3_ACCESS_KEY, S3_PORT, S3_REGION, S3_SECRET_KEY, Cluster


def prepare(cluster: Cluster) -> None:
    for folder in ("buckets", "iam"):
        (cluster.root / "s3" / folder).mkdir(parents=True, exist_ok=True)


def command(cluster: Cluster) -> list[str]:
    return [
        str(binaries.path("versitygw")),
        f"--port={cluster.node_ip}:{S3_PORT}",
        f"--region={S3_REGION}",
        f"--iam-dir={cluster.root / 's3/iam'}",
        "posix",
        str(cluster.root / "s3/buckets"),
    ]


def environment(_cluster: Cluster) -> dict[str, str]:
    return {"ROOT_ACCESS_KEY": S3_ACCESS_KEY, "ROOT_SECRET_KEY": S3_SECRET_KEY}


def ready(cluster: Cluster) -> bool:
    try:
        socket.create_connection((cluster.node_ip, S3_PORT), timeout=1).close()
    except OSError:
        return False
    return True


S3 = Component(
    name="s3", command=command, ready=ready, prepare=prepare, environment=environment, aliases=("versitygw",)
)
