"""Brings a cluster up and down, and breaks and mends its parts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cluster import (
    api,
    binaries,
    certificates,
    cgroups,
    components,
    environment,
    images,
    kwok_nodes,
    mounts,
    neighbours,
    network,
    nodes,
    options,
    packages,
    processes,
    s3_service,
    waiting,
)
from cluster.components import ALL, WAVES, etcd
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from cluster.components.component import Component
    from cluster.settings import Cluster


def up(cluster: Cluster) -> bool:
    """Start whatever does not run and wait until all of it is ready; False when all of it ran."""
    neighbours.require_own(cluster)
    _check_built()
    if old := etcd.unreadable_data(cluster):
        print(f"{cluster.name} begins without objects: its etcd was an older one; its S3 buckets stay", flush=True)
        down(cluster)
        shutil.rmtree(old)
    with neighbours.one_at_a_time(cluster.name):
        ran = is_up(cluster)
        if ran:
            images.load_own(cluster)
            environment.link_programs(cluster)
        else:
            _start(cluster)
        _apply_options(cluster)
    return not ran


def is_up(cluster: Cluster) -> bool:
    """Every process runs and says that it is ready."""
    return network.exists(cluster) and all(
        processes.pid(cluster, component.name) and component.ready(cluster) for component in components.of(cluster)
    )


def down(cluster: Cluster, purge: bool = False) -> None:
    """End everything the cluster started, pods included, and leave the machine as it was.

    Raises:
        ClusterError: what runs under its name is another's cluster, which goes on.
    """
    with neighbours.one_at_a_time(cluster.name):
        neighbours.require_own(cluster)
        for component in reversed(ALL):
            if component.name == "containerd":
                _end_pods(cluster)
            processes.stop(cluster, component.name, component.stop_seconds)
        processes.end_all(processes.with_argument(str(cluster.containerd_socket)))
        mounts.unmount_below(cluster.root, cluster.run)
        network.remove(cluster)
        cgroups.remove(cluster)
        shutil.rmtree(cluster.run, ignore_errors=True)
        if purge and cluster.root.exists():
            shutil.rmtree(cluster.root)


def restart(cluster: Cluster, component: Component) -> None:
    """Stop it if it runs, start it and wait for it; also the way back after ``kill``."""
    with neighbours.one_at_a_time(cluster.name):
        neighbours.require_own(cluster)
        processes.stop(cluster, component.name, component.stop_seconds)
        _launch(cluster, component)
        _await(cluster, component)
        if component.name == "kubelet":
            _apply_options(cluster)


def kill(cluster: Cluster, component: Component) -> None:
    """End it without a word, as a crash would; nothing starts it again."""
    if not processes.kill(cluster, component.name):
        raise ClusterError(f"{component.name} does not run")


def set_gpus(cluster: Cluster, count: int) -> None:
    """Claim that many accelerators, now and after every restart of the kubelet."""
    nodes.set_gpus(cluster, count)
    options.change(cluster.root, gpus=count)
    waiting.until(lambda: nodes.gpus(cluster) == (count, count), 30, f"{nodes.GPU} allocatable is {count}")


def _check_built() -> None:
    wanting = [*packages.missing(), *binaries.missing()]
    if wanting:
        raise ClusterError(f"not built yet: {', '.join(wanting)}\nrun `python3 hack/cluster build` first")


def _start(cluster: Cluster) -> None:
    network.ensure(cluster)
    certificates.ensure(cluster)
    environment.link_programs(cluster)
    for wave in WAVES:
        wanted = [component for component in wave if component.wanted(cluster)]
        for component in wanted:
            if not processes.pid(cluster, component.name):
                _launch(cluster, component)
        for component in wanted:
            _await(cluster, component)
    images.load_own(cluster)
    s3_service.ensure(cluster)
    waiting.until(lambda: _takes_pods(cluster), 60, "the default namespace has its service account and root CA")


def _takes_pods(cluster: Cluster) -> bool:
    """Until its controllers have seen a namespace, pods in it are refused or can't start."""
    namespace = "/api/v1/namespaces/default"
    objects = ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
    return all(api.exists(cluster, f"{namespace}/{name}") for name in objects)


def _apply_options(cluster: Cluster) -> None:
    wanted = options.load(cluster.root)
    if nodes.gpus(cluster) != (wanted.gpus, wanted.gpus):
        set_gpus(cluster, wanted.gpus)
    kwok_nodes.set_count(cluster, wanted.kwok_nodes)
    for component in set(ALL) - set(components.of(cluster)):
        processes.stop(cluster, component.name, component.stop_seconds)


def _launch(cluster: Cluster, component: Component) -> None:
    component.prepare(cluster)
    processes.start(cluster, component.name, component.command(cluster), component.environment(cluster))


def _await(cluster: Cluster, component: Component) -> None:
    """Ready, or the reason why not: the end of its log."""

    def ready_or_dead() -> bool:
        return component.ready(cluster) or processes.pid(cluster, component.name) is None

    try:
        waiting.until(ready_or_dead, component.start_seconds, f"{component.name} is ready")
    except ClusterError as error:
        raise ClusterError(f"{error}\n{_log(cluster, component)}") from error
    if processes.pid(cluster, component.name) is None:
        raise ClusterError(f"{component.name} died while it started\n{_log(cluster, component)}")


def _log(cluster: Cluster, component: Component) -> str:
    return f"the end of {processes.log(cluster, component.name)}:\n{processes.tail(cluster, component.name)}"


def _end_pods(cluster: Cluster) -> None:
    """The kubelet is gone by now, so what is ended here stays ended."""
    processes.end_all(cgroups.processes(cluster))
