"""A node without a kubelet: it says that it is ready, and its pods run and end as a test says.

kwok does the same, but its watches (0.8.0) are refused by an API server over the tests' etcd 3.4.23.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config

from cluster_access import Cluster

Json = dict[str, Any]
NODE = "simulated"
MARK = {"finetune-operator.dev/simulated": "true"}
"""Label of the node."""
TAINT = {"key": "finetune-operator.dev/simulated", "value": "true", "effect": "NoSchedule"}
RENEW_SECONDS = 10
"""The node controller waits for 40 at least."""
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"
SECONDS = "%Y-%m-%dT%H:%M:%SZ"


def system(name: str) -> Json:
    """A job's system whose pods go to this node."""
    return {"name": name, "nodeSelector": MARK, "tolerations": [{"key": TAINT["key"], "operator": "Exists"}]}


@contextmanager
def simulated_node(cluster: Cluster) -> Iterator[None]:
    """A ready node for a hundred pods, until the end of the block."""
    api, over = _client(cluster), threading.Event()
    cluster.apply(_node())
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": _now(SECONDS)}
    amounts = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
    status = {"conditions": [ready], "capacity": amounts, "allocatable": amounts}
    client.CoreV1Api(api).patch_node_status(NODE, {"status": status})
    renewing = threading.Thread(target=_renew, args=[client.CoordinationV1Api(api), over], daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        cluster.kubectl("delete", "node", NODE)


def _client(cluster: Cluster) -> Any:
    return config.new_client_from_config(config_file=cluster.environment["KUBECONFIG"])


def _node() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": MARK},
        "spec": {"taints": [TAINT]},
    }


def _renew(leases: Any, over: threading.Event) -> None:
    """A node's heartbeat: https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats."""
    namespace = "kube-node-lease"
    spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": _now(MICROSECONDS)}
    leases.create_namespaced_lease(namespace, {"metadata": {"name": NODE}, "spec": spec})
    while not over.wait(RENEW_SECONDS):
        leases.patch_namespaced_lease(NODE, namespace, {"spec": {"renewTime": _now(MICROSECONDS)}})
    leases.delete_namespaced_lease(NODE, namespace)


class SimulatedPods:
    """The pods of one namespace on that node."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._core = client.CoreV1Api(_client(cluster))
        self._namespace = namespace

    def start(self) -> None:
        """Those that wait run."""
        for pod in self._in_phase("Pending", ""):
            running = {"running": {"startedAt": _now(SECONDS)}}
            self._set(pod, "Running", running, ready=True)

    def running(self, labels: str) -> list[Any]:
        return self._in_phase("Running", labels)

    def end(self, pod: Any, message: str) -> None:
        """Its container ends well, with a last word."""
        ended = {"exitCode": 0, "reason": "Completed", "message": message}
        times = {"startedAt": _now(SECONDS), "finishedAt": _now(SECONDS)}
        self._set(pod, "Succeeded", {"terminated": ended | times}, ready=False)

    def remove(self) -> None:
        """No kubelet confirms that a pod is gone."""
        self._core.delete_collection_namespaced_pod(
            self._namespace, field_selector=f"spec.nodeName={NODE}", grace_period_seconds=0
        )

    def _in_phase(self, phase: str, labels: str) -> list[Any]:
        where = f"status.phase={phase},spec.nodeName={NODE}"
        found = self._core.list_namespaced_pod(self._namespace, label_selector=labels, field_selector=where)
        return list(found.items)

    def _set(self, pod: Any, phase: str, state: Json, *, ready: bool) -> None:
        (container,) = pod.spec.containers
        image = {"name": container.name, "image": container.image, "imageID": "", "restartCount": 0}
        statuses = [image | {"ready": ready, "state": state}]
        change = {"phase": phase, "podIP": "192.0.2.1", "containerStatuses": statuses}
        self._core.patch_namespaced_pod_status(pod.metadata.name, self._namespace, {"status": change})


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form)
