"""Gives each cluster a network namespace of its own and a cable to this machine.

Ports, kube-proxy's tables and the pods' bridge are then private to the cluster,
and two clusters can't get in each other's way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster import neighbours, shell

if TYPE_CHECKING:
    from cluster.settings import Cluster

SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/default/accept_dad": "0",
}


def inside(cluster: Cluster, *command: str) -> list[str]:
    """The command in the cluster's network; unlike ``ip netns exec`` it leaves /sys, and so the cgroups, alone."""
    return ["nsenter", f"--net=/run/netns/{cluster.netns}", *command]


def ensure(cluster: Cluster) -> None:
    """Namespace, cable, addresses and routes, made anew unless they are all there.

    Raises:
        ClusterError: another's cluster or another program has its name or one of its networks; nothing was changed.
    """
    with neighbours.one_at_a_time(neighbours.ADDRESSES):
        neighbours.require_own(cluster)
        neighbours.require_addresses(cluster)
        if cluster.cable in neighbours.cables() and exists(cluster):
            return
        remove(cluster)
        shell.run("ip", "netns", "add", cluster.netns)
        shell.run("ip", "link", "add", cluster.cable, "type", "veth", "peer", "name", "eth0", "netns", cluster.netns)
        _host_side(cluster)
    _node_side(cluster)


def exists(cluster: Cluster) -> bool:
    return Path("/run/netns", cluster.netns).exists()


def remove(cluster: Cluster) -> None:
    """Deleting one end of the cable deletes the other and this machine's routes over it."""
    if neighbours.cables().get(cluster.cable) == str(cluster.root):
        shell.run("ip", "link", "delete", cluster.cable)
    if exists(cluster):
        shell.run("ip", "netns", "delete", cluster.netns)


def _host_side(cluster: Cluster) -> None:
    shell.run("ip", "link", "set", cluster.cable, "alias", str(cluster.root))
    shell.run("ip", "address", "add", f"{cluster.host_ip}/24", "dev", cluster.cable)
    shell.run("ip", "link", "set", cluster.cable, "up")
    for destination in (cluster.pod_cidr, cluster.service_cidr):
        shell.run("ip", "route", "replace", destination, "via", cluster.node_ip)


def _node_side(cluster: Cluster) -> None:
    def ip(*arguments: str) -> None:
        shell.run("ip", "-netns", cluster.netns, *arguments)

    ip("link", "set", "lo", "up")
    ip("address", "add", f"{cluster.node_ip}/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    ip("route", "add", "default", "via", cluster.host_ip)
    for name, value in SYSCTLS.items():
        shell.run(*inside(cluster, "sh", "-c", f"test ! -e /proc/sys/{name} || echo {value} > /proc/sys/{name}"))
