"""The cluster's processes, in the order in which they can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.components.containerd import CONTAINERD
from cluster.components.coredns import COREDNS
from cluster.components.etcd import ETCD
from cluster.components.kube_apiserver import KUBE_APISERVER
from cluster.components.kube_controller_manager import KUBE_CONTROLLER_MANAGER
from cluster.components.kube_proxy import KUBE_PROXY
from cluster.components.kube_scheduler import KUBE_SCHEDULER
from cluster.components.kubelet import KUBELET
from cluster.components.kwok import KWOK
from cluster.components.s3 import S3
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from cluster.components.component import Component
    from cluster.settings import Cluster

# Those of one wave need nothing of each other and start together.
WAVES: tuple[tuple[Component, ...], ...] = (
    (ETCD, CONTAINERD, S3),
    (KUBE_APISERVER,),
    (KUBE_CONTROLLER_MANAGER, KUBE_SCHEDULER, KUBELET, KUBE_PROXY, COREDNS, KWOK),
)
ALL = tuple(component for wave in WAVES for component in wave)


def of(cluster: Cluster) -> tuple[Component, ...]:
    """Those that it is to have."""
    return tuple(component for component in ALL if component.wanted(cluster))


def named(name: str) -> Component:
    """By its name or by the short one."""
    for component in ALL:
        if name in (component.name, *component.aliases):
            return component
    raise ClusterError(f"unknown component {name}; known: {', '.join(component.name for component in ALL)}")
