"""The command line: one function per command, each a few lines over the other modules."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster import (
    binaries,
    components,
    environment,
    images,
    kueue,
    lifecycle,
    neighbours,
    network,
    nodes,
    options,
    packages,
    preflight,
    processes,
    settings,
    smoke,
)
from cluster.components import kwok, named
from cluster.errors import ClusterError

DEFAULT_NAME = os.environ.get("FINETUNE_CLUSTER", "demo")

Action = Callable[[argparse.Namespace], "int | None"]
if TYPE_CHECKING:
    # argparse gives this type no public name.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}; a cluster is root's: run this with sudo -E", file=sys.stderr)
        return 1


def _preflight(chosen: argparse.Namespace) -> None:
    print("\n".join(preflight.check(chosen.disk)))


def _build(chosen: argparse.Namespace) -> None:
    preflight.check(chosen.disk)
    packages.install()
    binaries.build(chosen.component)
    images.archives()


def _up(chosen: argparse.Namespace) -> None:
    preflight.check(preflight.UP_DISK_GIB, go=False)
    started = time.monotonic()
    cluster = _configured(chosen)
    if kwok.wanted(cluster) and not binaries.present(binaries.KWOK):
        binaries.build(["kwok"])
    if lifecycle.up(cluster):
        print(f"cluster {cluster.name} is up after {time.monotonic() - started:.0f} s")
    else:
        print(f"cluster {cluster.name} is already up")
    print(f'use it:   eval "$(python3 hack/cluster env --name {cluster.name})" && kubectl get nodes')
    print(f"S3:       {cluster.s3_endpoint} here, {settings.S3_CLUSTER_ENDPOINT} in pods")
    print(f"logs:     {cluster.logs}")
    print(f"end it:   python3 hack/cluster down --name {cluster.name}")


def _configured(chosen: argparse.Namespace) -> settings.Cluster:
    """Flags that were given replace what the cluster remembers; the others don't."""
    cluster = _own(chosen)
    if chosen.subnet not in (None, cluster.subnet) and cluster.kubeconfig.exists():
        raise ClusterError(f"{cluster.name}'s certificates are for subnet {cluster.subnet}: `down --purge` first")
    given = {"subnet": chosen.subnet, "gpus": chosen.gpus, "audit": chosen.audit, "kwok_nodes": chosen.kwok_nodes}
    options.change(cluster.root, **{name: value for name, value in given.items() if value is not None})
    return neighbours.settled(settings.cluster(chosen.name))


def _own(chosen: argparse.Namespace) -> settings.Cluster:
    cluster = settings.cluster(chosen.name)
    neighbours.require_own(cluster)
    return cluster


def _down(chosen: argparse.Namespace) -> None:
    cluster = settings.cluster(chosen.name)
    lifecycle.down(cluster, chosen.purge)
    print(f"cluster {cluster.name} is down" + (" and its folder is gone" if chosen.purge else ""))


def _status(chosen: argparse.Namespace) -> int:
    """Exit 0 only when everything runs and is ready."""
    cluster = _own(chosen)
    there = network.exists(cluster)
    for component in components.of(cluster):
        pid = processes.pid(cluster, component.name)
        state = "stopped" if not pid else "ready" if there and component.ready(cluster) else "not ready"
        print(f"{component.name:26}{state:12}{pid or ''}")
    return 0 if lifecycle.is_up(cluster) else 1


def _env(chosen: argparse.Namespace) -> None:
    cluster = _own(chosen)
    if not cluster.kubeconfig.exists():
        raise ClusterError(f"there is no cluster {cluster.name}; start it with: hack/cluster up --name {cluster.name}")
    print(json.dumps(environment.variables(cluster), indent=1) if chosen.json else environment.exports(cluster))


def _load(chosen: argparse.Namespace) -> None:
    for image in images.load(_own(chosen), chosen.archive):
        print(f"loaded {image}")


def _restart(chosen: argparse.Namespace) -> None:
    lifecycle.restart(_own(chosen), named(chosen.component))


def _kill(chosen: argparse.Namespace) -> None:
    lifecycle.kill(_own(chosen), named(chosen.component))


def _gpus(chosen: argparse.Namespace) -> None:
    cluster = _own(chosen)
    lifecycle.set_gpus(cluster, chosen.count)
    print(f"{cluster.node_name}: {nodes.GPU} {chosen.count}")


def _kueue(chosen: argparse.Namespace) -> None:
    cluster = _own(chosen)
    if chosen.remove:
        kueue.remove(cluster)
        print(f"{cluster.name}: Kueue is gone")
        return
    binaries.build(["kueue"])
    kueue.install(cluster, chosen.pods_ready)
    print(f"{cluster.name}: Kueue {settings.KUEUE_VERSION} is ready")


def _smoke(_chosen: argparse.Namespace) -> None:
    smoke.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 hack/cluster", description="A real Kubernetes on this machine.")
    commands = parser.add_subparsers(required=True, metavar="command")
    disk = _command(commands, "preflight", _preflight, "check this machine; change nothing")
    build = _command(commands, "build", _build, "install packages and build the programs (about 25 min, once)")
    for command in (disk, build):
        command.add_argument("--disk", type=int, default=preflight.BUILD_DISK_GIB, help="GiB that must be free")
    build.add_argument("--component", action="append", default=[], help="only this one; may be repeated")

    up = _cluster_command(commands, "up", _up, "start a cluster")
    up.add_argument("--gpus", type=int, help="how many nvidia.com/gpu the node claims to have")
    up.add_argument("--subnet", type=int, choices=range(1, 255), metavar="1-254", help="N of 10.211.N.0/24")
    up.add_argument("--kwok-nodes", type=int, help="how many more nodes kwok simulates; it is built once")
    up.add_argument("--audit", action=argparse.BooleanOptionalAction, help="write an audit log")
    down = _cluster_command(commands, "down", _down, "stop a cluster; its data stays")
    down.add_argument("--purge", action="store_true", help="remove its data too")
    _cluster_command(commands, "status", _status, "what runs; exit 1 unless all is ready")
    env = _cluster_command(commands, "env", _env, "print exports for a shell")
    env.add_argument("--json", action="store_true", help="as JSON")
    load = _cluster_command(commands, "load", _load, "load an image")
    load.add_argument("archive", help="a docker-archive, or - for standard input")
    for name, action, text in (("restart", _restart, "restart a component"), ("kill", _kill, "crash a component")):
        _cluster_command(commands, name, action, text).add_argument("component")
    gpus = _cluster_command(commands, "gpus", _gpus, "claim that the node has accelerators")
    gpus.add_argument("count", type=int)
    queues = _cluster_command(commands, "kueue", _kueue, "install Kueue, built once")
    queues.add_argument("--remove", action="store_true", help="take it away again")
    wait = "seconds within which an admitted Job must have its pods running (waitForPodsReady); default: for ever"
    queues.add_argument("--pods-ready", type=int, default=0, metavar="SECONDS", help=wait)
    _command(commands, "smoke", _smoke, "try everything with two clusters of its own")
    return parser


def _command(commands: Commands, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=action)
    return parser


def _cluster_command(commands: Commands, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, action, text)
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"the cluster's name (default: {DEFAULT_NAME})")
    return parser
