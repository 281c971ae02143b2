"""Where things live and which versions are used; everything here is a constant or pure."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from cluster import options
from cluster.errors import ClusterError

KUBERNETES_VERSION = "v1.34.4"
ETCD_VERSION = "v3.6.4"  # whose client libraries Kubernetes 1.34.4 is built on
RUNC_VERSION = "v1.4.0"
HELM_VERSION = "v3.22.0"
VERSITYGW_VERSION = "v1.8.0"
COREDNS_VERSION = "v1.13.2"
KWOK_VERSION = "v0.8.0"
KSTATUS_VERSION = "v0.37.2"
KUBE_SCORE_VERSION = "v1.20.0"
PROMETHEUS_VERSION = "v0.315.1"  # the Go module of 3.15.1
KUEUE_VERSION = "v0.15.0"  # built on the client libraries of Kubernetes 1.34

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")

PAUSE_IMAGE = "finetune.local/pause:1"
BUSYBOX_IMAGE = "finetune.local/busybox:1"

# Development only: the bucket is reachable from this machine and its pods alone.
S3_ACCESS_KEY = "finetune-dev"
S3_SECRET_KEY = "finetune-dev-secret"
S3_REGION = "us-east-1"
S3_PORT = 7070
S3_CLUSTER_ENDPOINT = f"http://s3.s3.svc:{S3_PORT}"

API_PORT = 6443
CLUSTER_DOMAIN = "cluster.local"
CABLE = "finetune"
SUBNETS = 254


def cache_dir() -> Path:
    """Built programs and images, shared by every cluster and every checkout."""
    return Path(os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache/finetune-operator")


def state_dir() -> Path:
    """One folder per cluster below this one."""
    return Path(os.environ.get("FINETUNE_STATE") or Path.home() / ".local/state/finetune-operator")


@dataclass(frozen=True)
class Cluster:
    """A cluster's name and what follows from it: its addresses and its folders."""

    name: str
    subnet: int
    root: Path

    @property
    def host_ip(self) -> str:
        """The machine's end of the cable."""
        return f"10.211.{self.subnet}.1"

    @property
    def node_ip(self) -> str:
        """The cluster's end: the node, the API server, S3 and DNS listen here."""
        return f"10.211.{self.subnet}.2"

    @property
    def pod_cidr(self) -> str:
        """Its own for each cluster, so that this machine can have a route to every pod."""
        return f"10.212.{self.subnet}.0/24"

    @property
    def service_cidr(self) -> str:
        return f"10.213.{self.subnet}.0/24"

    @property
    def api_service_ip(self) -> str:
        """The first address of the range is the ``kubernetes`` Service's."""
        return f"10.213.{self.subnet}.1"

    @property
    def networks(self) -> tuple[str, ...]:
        """What this machine has routes to while the cluster runs."""
        return f"10.211.{self.subnet}.0/24", self.pod_cidr, self.service_cidr

    @property
    def cable(self) -> str:
        """The machine's end; an interface's name has at most 15 characters, so the subnet stands for the cluster."""
        return f"{CABLE}{self.subnet}"

    @property
    def node_name(self) -> str:
        return f"finetune-{self.name}"

    @property
    def netns(self) -> str:
        return f"finetune-{self.name}"

    @property
    def server(self) -> str:
        return f"https://{self.node_ip}:{API_PORT}"

    @property
    def s3_endpoint(self) -> str:
        return f"http://{self.node_ip}:{S3_PORT}"

    @property
    def certs(self) -> Path:
        return self.root / "certs"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def run(self) -> Path:
        """Sockets and mounts: under /run, since a socket's path may have at most 107 characters."""
        return Path("/run/finetune-operator") / self.name

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """The parent of every pod's cgroup."""
        return f"finetune-{self.name}"


def subnet_of(name: str) -> int:
    """A number between 1 and 250 that is the same on every run for the same name."""
    known = {"demo": 1, "test": 2}
    return known.get(name) or 3 + zlib.crc32(name.encode()) % 248


def subnets_from(first: int) -> list[int]:
    """All there are, beginning with that one."""
    return [1 + (first - 1 + step) % SUBNETS for step in range(SUBNETS)]


def known_clusters() -> list[Cluster]:
    """Those that have a folder here, whether they run or not."""
    names = (folder.name for folder in state_dir().glob("*") if folder.is_dir() and NAME.fullmatch(folder.name))
    return [cluster(name) for name in names]


def cluster(name: str) -> Cluster:
    """The cluster of that name; a subnet chosen at its first ``up`` is remembered in its folder."""
    if not NAME.fullmatch(name):
        raise ClusterError(f"{name!r} is no name for a cluster: use at most 20 of a-z, 0-9 and -")
    root = state_dir() / name
    return Cluster(name=name, subnet=options.load(root).subnet or subnet_of(name), root=root)
