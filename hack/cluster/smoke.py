"""Tries everything that others rely on, with two clusters of its own, side by side."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cluster import cgroups, lifecycle, neighbours, network, options, processes, settings, smoke_manifests, waiting
from cluster.components import named
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.settings import Cluster

NAMES = ("smoke-a", "smoke-b")
GPUS = 4
CRASHES = ("kube-apiserver", "etcd", "kubelet", "containerd", "scheduler", "controller-manager", "s3")


def run() -> None:
    """Two clusters up, everything tried in both, every component crashed and mended in one, both down."""
    clusters = [neighbours.settled(settings.cluster(name)) for name in NAMES]
    try:
        for cluster in clusters:
            with _step(f"{cluster.name}: up"):
                options.change(cluster.root, gpus=GPUS)
                lifecycle.up(cluster)
        for cluster in clusters:
            _try_workloads(cluster)
        for name in CRASHES:
            _try_crash(clusters[0], name)
        with _step(f"{clusters[1].name}: noticed nothing of it"):
            _expect(lifecycle.is_up(clusters[1]), "every component is ready")
    finally:
        for cluster in clusters:
            with _step(f"{cluster.name}: down"):
                lifecycle.down(cluster, purge=True)
                _expect_nothing_left(cluster)


def _try_workloads(cluster: Cluster) -> None:
    with _step(f"{cluster.name}: pause pod, Service by name, hardened Job, pod with one of {GPUS} GPUs"):
        _kubectl(cluster, "apply", "-f", "-", stdin=json.dumps(smoke_manifests.everything()))
        _kubectl(cluster, "wait", "--for=condition=Complete", "job/fetch", "--timeout=60s")
        _kubectl(cluster, "wait", "--for=condition=Ready", "pod/pause", "pod/web", "pod/gpu", "--timeout=60s")
    with _step(f"{cluster.name}: logs, exec, port-forward, pod's address from here"):
        _expect(smoke_manifests.PAGE in _kubectl(cluster, "logs", "job/fetch"), "the Job's log has the page")
        page = _kubectl(cluster, "exec", "web", "--", "cat", "/tmp/index.html")
        _expect(smoke_manifests.PAGE in page, "exec reads the page")
        _try_port_forward(cluster)
        address = _kubectl(cluster, "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
        _expect(smoke_manifests.PAGE in _fetch(f"http://{address}:8080"), "the pod answers this machine")


def _try_port_forward(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = _kubectl_command(cluster, "port-forward", "pod/web", f"{port}:8080")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarder:
        try:
            assert forwarder.stdout is not None
            forwarder.stdout.readline()
            _expect(smoke_manifests.PAGE in _fetch(f"http://127.0.0.1:{port}"), "port-forward reaches the pod")
        finally:
            forwarder.terminate()


def _try_crash(cluster: Cluster, name: str) -> None:
    """After a crash and a restart a new pod with a GPU must run, which needs every component but S3."""
    with _step(f"{cluster.name}: {name} crashes and comes back"):
        component = named(name)
        lifecycle.kill(cluster, component)
        _expect(processes.pid(cluster, component.name) is None, f"{component.name} is gone")
        lifecycle.restart(cluster, component)
        waiting.until(lambda: lifecycle.is_up(cluster), 60, "every component is ready")
        _kubectl(cluster, "delete", "pod", "gpu", "--wait=true", "--timeout=60s")
        _kubectl(cluster, "apply", "-f", "-", stdin=json.dumps(smoke_manifests.everything()))
        _kubectl(cluster, "wait", "--for=condition=Ready", "pod/gpu", "pod/web", "--timeout=60s")


def _expect_nothing_left(cluster: Cluster) -> None:
    left = [*cgroups.processes(cluster), *processes.with_argument(str(cluster.containerd_socket))]
    _expect(not left, f"no process is left (found {left})")
    _expect(not network.exists(cluster), "no network namespace is left")
    _expect(not cluster.root.exists(), "no folder is left")


def _kubectl(cluster: Cluster, *arguments: str, stdin: str | None = None) -> str:
    command = _kubectl_command(cluster, *arguments)
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _kubectl_command(cluster: Cluster, *arguments: str) -> list[str]:
    return [str(cluster.bin / "kubectl"), f"--kubeconfig={cluster.kubeconfig}", *arguments]


def _fetch(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=5) as response:
        page: bytes = response.read()
    return page.decode()


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise ClusterError(f"expected: {what}")


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"{what} … ", end="", flush=True)
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)
