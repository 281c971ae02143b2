"""The container runtime: Debian's containerd with a newer runc, and the pods' network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cluster import binaries, shell
from cluster.components.component import Component
from cluster.settings import PAUSE_IMAGE, Cluster

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
version = 2
root = "{root}"
state = "{run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # The machine may not be allowed to lower a process's score.
  restrict_oom_score_adj = true
  # Below the cluster's own folder, where `down` finds and unmounts them.
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runc}"
  SystemdCgroup = false
"""


def prepare(cluster: Cluster) -> None:
    cluster.run.mkdir(parents=True, exist_ok=True)
    cni = cluster.config / "cni"
    cni.mkdir(parents=True, exist_ok=True)
    (cni / "10-pods.conflist").write_text(json.dumps(pod_network(cluster), indent=1))
    _config(cluster).write_text(
        CONFIG.format(
            root=cluster.root / "containerd",
            run=cluster.run,
            socket=cluster.containerd_socket,
            pause=PAUSE_IMAGE,
            cni=cni,
            runc=binaries.path("runc"),
        )
    )


def pod_network(cluster: Cluster) -> dict[str, object]:
    """A bridge in the cluster's network; hairpin lets a pod reach itself through its Service."""
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(cluster.root / "cni"),
            "ranges": [[{"subnet": cluster.pod_cidr}]],
        },
    }
    return {"cniVersion": "0.4.0", "name": f"finetune-{cluster.name}", "plugins": [bridge]}


def command(cluster: Cluster) -> list[str]:
    return ["/usr/bin/containerd", f"--config={_config(cluster)}"]


def ready(cluster: Cluster) -> bool:
    """The socket is there before the plugins behind it are, so ask for something."""
    return cluster.containerd_socket.exists() and shell.succeeds(*ctr(cluster, "containers", "list", "-q"))


def ctr(cluster: Cluster, *arguments: str) -> list[str]:
    """Runs containerd's own client in the namespace where Kubernetes looks."""
    return ["/usr/bin/ctr", "--address", str(cluster.containerd_socket), "--namespace", "k8s.io", *arguments]


def _config(cluster: Cluster) -> Path:
    return cluster.config / "containerd.toml"


CONTAINERD = Component(name="containerd", command=command, ready=ready, prepare=prepare)
