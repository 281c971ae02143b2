"""Gives each cluster a network namespace of its own and a cable to this machine.

Ports, kube-proxy's tables and the pods' bridge are then private to the cluster,
and two clusters can't get in each other's way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster import shell
from cluster.errors import ClusterError

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
    """Namespace, cable, addresses and routes, made anew unless they are all there."""
    owner = _owner(cluster)
    if owner not in ("", str(cluster.root)):
        raise ClusterError(
            f"10.211.{cluster.subnet}.0/24 belongs to the cluster in {owner}: choose another with `up --subnet N`"
        )
    if owner and exists(cluster):
        return
    remove(cluster)
    shell.run("ip", "netns", "add", cluster.netns)
    shell.run("ip", "link", "add", _cable(cluster), "type", "veth", "peer", "name", "eth0", "netns", cluster.netns)
    _host_side(cluster)
    _node_side(cluster)


def exists(cluster: Cluster) -> bool:
    return Path("/run/netns", cluster.netns).exists()


def remove(cluster: Cluster) -> None:
    """Deleting one end of the cable deletes the other and this machine's routes over it."""
    if _owner(cluster) == str(cluster.root):
        shell.run("ip", "link", "delete", _cable(cluster))
    if exists(cluster):
        shell.run("ip", "netns", "delete", cluster.netns)


def _owner(cluster: Cluster) -> str:
    """The folder of the cluster that the cable belongs to, noted on the cable; empty when there is none."""
    alias = Path("/sys/class/net", _cable(cluster), "ifalias")
    return (alias.read_text().strip() or "another program") if alias.exists() else ""


def _host_side(cluster: Cluster) -> None:
    cable = _cable(cluster)
    shell.run("ip", "link", "set", cable, "alias", str(cluster.root))
    shell.run("ip", "address", "add", f"{cluster.host_ip}/24", "dev", cable)
    shell.run("ip", "link", "set", cable, "up")
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


def _cable(cluster: Cluster) -> str:
    """An interface's name has at most 15 characters, so the subnet stands for the cluster."""
    return f"finetune{cluster.subnet}"
