"""The operator as something that can crash: its process on this machine, its pod, its absence."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import tcp_proxy
from cluster_access import Cluster, until
from cluster_setup import OPERATOR_LABEL, OPERATOR_NAMESPACE, RELEASE

DEPLOYMENT = f"deployment/{RELEASE}"
CONTAINER = "operator"
READY_SECONDS = 90
API_PORT = 6443
API_NAME = "kubernetes.default.svc"
"""Which the API server's certificate is for."""
TAKE_OVER_SECONDS = 20
"""Within which another leads once the leader has died."""


def kubectl(cluster: Cluster, *arguments: str) -> str:
    return cluster.kubectl("-n", OPERATOR_NAMESPACE, *arguments)


def leader(cluster: Cluster) -> str:
    """Name of the pod that holds the Lease; empty while none does."""
    lease = cluster.get("-n", OPERATOR_NAMESPACE, "lease", RELEASE)
    return str(lease["spec"].get("holderIdentity", ""))


def all_pods(cluster: Cluster) -> list[dict[str, Any]]:
    """The operator's pods, those that are being deleted among them."""
    found: list[dict[str, Any]] = cluster.get("-n", OPERATOR_NAMESPACE, "pods", "-l", OPERATOR_LABEL)["items"]
    return found


def pods(cluster: Cluster) -> list[str]:
    """Names of the operator's pods, without those that are being deleted."""
    return [pod["metadata"]["name"] for pod in all_pods(cluster) if "deletionTimestamp" not in pod["metadata"]]


def container_ids(cluster: Cluster, pod: str = "") -> list[str]:
    """IDs of the operator's running containers, or of one pod's; one, but for the moments in which it restarts.

    Without those of pods that are being deleted.
    """
    staying = [item for item in all_pods(cluster) if "deletionTimestamp" not in item["metadata"]]
    chosen = [item for item in staying if pod in ("", item["metadata"]["name"])]
    containers = [container for item in chosen for container in item["status"].get("containerStatuses", [])]
    return [c["containerID"].removeprefix("containerd://") for c in containers if "running" in c["state"]]


def pid(cluster: Cluster, pod: str = "") -> int:
    """Process ID, on this machine, of the operator, or of the one in a pod."""
    (container,) = until(lambda: container_ids(cluster, pod), READY_SECONDS, "the operator's container runs")
    tasks = (line.split() for line in cluster.run("ctr", "tasks", "list").splitlines())
    return next(int(task[1]) for task in tasks if task[0] == container)


def led_since(cluster: Cluster) -> datetime:
    """When the leader took the Lease."""
    lease = cluster.get("-n", OPERATOR_NAMESPACE, "lease", RELEASE)
    return datetime.fromisoformat(lease["spec"]["acquireTime"])


def crash_for_good(cluster: Cluster, pod: str) -> datetime:
    """What a node that dies does to a pod: it stops at once, gives no Lease back, and does not come again.

    Returns:
        When it stopped.
    """
    process = pid(cluster, pod)
    os.kill(process, signal.SIGSTOP)
    stopped = datetime.now(UTC)
    kubectl(cluster, "delete", "pod", pod, "--force", "--grace-period=0")
    os.kill(process, signal.SIGKILL)
    return stopped


@contextmanager
def two_replicas(cluster: Cluster) -> Iterator[None]:
    kubectl(cluster, "scale", DEPLOYMENT, "--replicas=2")
    try:
        wait_until_ready(cluster)
        yield
    finally:
        kubectl(cluster, "scale", DEPLOYMENT, "--replicas=1")
        kubectl(cluster, "wait", DEPLOYMENT, "--for=jsonpath={.status.replicas}=1", "--timeout=60s")
    until(lambda: leader(cluster) in pods(cluster), TAKE_OVER_SECONDS, "the one that is left leads")


def kill(cluster: Cluster) -> None:
    """kill -9; returns once another container has taken over and is ready."""
    before = container_ids(cluster)
    os.kill(pid(cluster), signal.SIGKILL)
    until(lambda: set(container_ids(cluster)) - set(before), READY_SECONDS, "the kubelet restarts the operator")
    wait_until_ready(cluster)


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """The operator stands still, then dies by kill -9: whatever happens meanwhile, happens unseen."""
    stopped = pid(cluster)
    before = container_ids(cluster)
    os.kill(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stopped, signal.SIGKILL)
    until(lambda: set(container_ids(cluster)) - set(before), READY_SECONDS, "the kubelet restarts the operator")
    wait_until_ready(cluster)


@contextmanager
def absent(cluster: Cluster) -> Iterator[None]:
    """No operator at all, as after `kubectl scale --replicas=0`."""
    kubectl(cluster, "scale", DEPLOYMENT, "--replicas=0")
    kubectl(cluster, "wait", "pod", "-l", OPERATOR_LABEL, "--for=delete", f"--timeout={READY_SECONDS}s")
    try:
        yield
    finally:
        kubectl(cluster, "scale", DEPLOYMENT, "--replicas=1")
        wait_until_ready(cluster)


def wait_until_ready(cluster: Cluster) -> None:
    kubectl(cluster, "rollout", "status", DEPLOYMENT, f"--timeout={READY_SECONDS}s")


def renew(cluster: Cluster) -> None:
    """A pod that never crashed, so that the kubelet's back-off starts afresh. Does nothing to such a pod."""
    if any(
        status["restartCount"] for pod in all_pods(cluster) for status in pod["status"].get("containerStatuses", [])
    ):
        kubectl(cluster, "delete", "pod", "-l", OPERATOR_LABEL)
    wait_until_ready(cluster)


@contextmanager
def with_environment(cluster: Cluster, **variables: str) -> Iterator[None]:
    """The operator with other settings, as a values file would give it them."""
    with _undone(cluster, "set", "env", DEPLOYMENT, *(f"{name}={value}" for name, value in variables.items())):
        yield


@contextmanager
def changed(cluster: Cluster, pod: dict[str, Any]) -> Iterator[None]:
    """The operator with another pod spec, given as a strategic merge patch."""
    with _undone(cluster, "patch", DEPLOYMENT, "-p", json.dumps({"spec": {"template": {"spec": pod}}})):
        yield


@contextmanager
def _undone(cluster: Cluster, *change: str) -> Iterator[None]:
    """The Deployment after a kubectl command that changes its pods; as before, afterwards."""
    kubectl(cluster, *change)
    try:
        wait_until_ready(cluster)
        yield
    finally:
        kubectl(cluster, "rollout", "undo", DEPLOYMENT)
        wait_until_ready(cluster)


@contextmanager
def behind_a_proxy(cluster: Cluster, **variables: str) -> Iterator[tcp_proxy.TcpProxy]:
    """The operator, and nobody else, reaches the API server through a proxy; with other settings, if need be."""
    here = cluster.environment["HOST_IP"]
    with tcp_proxy.before((cluster.environment["NODE_IP"], API_PORT), here) as proxy:
        variables |= {"KUBERNETES_SERVICE_HOST": API_NAME, "KUBERNETES_SERVICE_PORT": str(proxy.port)}
        container = {"name": CONTAINER, "env": [{"name": name, "value": value} for name, value in variables.items()]}
        with changed(cluster, {"hostAliases": [{"ip": here, "hostnames": [API_NAME]}], "containers": [container]}):
            yield proxy
