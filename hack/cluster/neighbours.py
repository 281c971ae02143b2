"""What other clusters and programs have on this machine: of one name, and of one number, there is one at a time.

A cluster's name is in its network's, its sockets' and its cgroup's; so one of another user's, or of another
FINETUNE_STATE, has it too. Whose a network is, stands on its cable: the folder of the cluster.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import options, settings, shell
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cluster.settings import Cluster

ADDRESSES = ".addresses"
"""Lock of what is looked at and then taken; no cluster's name begins with a dot."""
INTERFACES = Path("/sys/class/net")
LOCKS = Path("/run/finetune-operator")
STRANGER = "another program"


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """A lock of the machine, not of a user."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def cables() -> dict[str, str]:
    """The folder of the cluster that each cable belongs to."""
    found = ((cable.name, cable / "ifalias") for cable in INTERFACES.glob(f"{settings.CABLE}[0-9]*"))
    return {name: alias.read_text().strip() or STRANGER for name, alias in found if alias.exists()}


def namesake(cluster: Cluster, known: dict[str, str]) -> str | None:
    """The folder of another cluster that has this one's name and a network."""
    others = (owner for owner in known.values() if owner not in (str(cluster.root), STRANGER))
    return next((owner for owner in others if Path(owner).name == cluster.name), None)


def require_own(cluster: Cluster) -> None:
    """ClusterError where the cluster of that name that this machine runs is another's."""
    if owner := namesake(cluster, cables()):
        raise ClusterError(
            f"the cluster {cluster.name} of this machine is the one in {owner}, not in {cluster.root}: "
            f"take another --name, or use that one with FINETUNE_STATE={Path(owner).parent}"
        )


def require_addresses(cluster: Cluster) -> None:
    """ClusterError where something else has one of its networks."""
    if what := holder(cluster, cables(), routes()):
        raise ClusterError(
            f"10.211.{cluster.subnet}.0/24 or what goes with it belongs to {what}: free it, or begin the cluster anew "
            f"with other addresses: `down --purge`, then `up --subnet N`"
        )


def holder(cluster: Cluster, known: dict[str, str], table: Iterable[dict[str, Any]]) -> str | None:
    """What else has the cable's name, or a route to one of the cluster's networks or into it."""
    if (owner := known.get(cluster.cable, str(cluster.root))) != str(cluster.root):
        return owner
    own = [ip_network(network) for network in cluster.networks]
    for route in table:
        if route.get("dev") == cluster.cable or route["dst"] == "default":
            continue
        there = ip_network(route["dst"])
        if any(there.subnet_of(network) for network in own):
            return f"{route.get('dev', route.get('type', 'another'))} (route to {route['dst']})"
    return None


def settled(cluster: Cluster) -> Cluster:
    """With addresses that nobody else has, remembered from its first `up` on.

    Those that follow from its name are taken where they are free. What was chosen once stays: certificates hold it.
    """
    if cluster.certs.exists() or options.load(cluster.root).subnet:
        return cluster
    with one_at_a_time(ADDRESSES):
        remembered = {there.subnet for there in settings.known_clusters() if there.name != cluster.name}
        known, table = cables(), list(routes())
        for subnet in settings.subnets_from(cluster.subnet):
            candidate = settings.Cluster(cluster.name, subnet, cluster.root)
            if subnet not in remembered and holder(candidate, known, table) is None:
                options.change(cluster.root, subnet=subnet)
                return candidate
    raise ClusterError("10.211.1.0/24 to 10.211.254.0/24 are all taken on this machine")


def routes() -> list[dict[str, Any]]:
    """The IPv4 routes of the machine, as `ip` lists them."""
    found: list[dict[str, Any]] = json.loads(shell.run("ip", "-json", "-4", "route", "show") or "[]")
    return found
