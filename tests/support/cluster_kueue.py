"""Kueue in the tests' cluster: installed and removed, queues with a quota, Workloads, and what is told of a stage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cluster_manifests as manifests
from cluster_access import Cluster
from cluster_manifests import with_change
from cluster_setup import CHART, OPERATOR_NAMESPACE, RELEASE, hack
from cluster_witness import reconciling
from cluster_workspace import Workspace

Json = dict[str, Any]
LOCAL_QUEUE = "team-a"
API = "kueue.x-k8s.io/v1beta2"
PODS_READY_SECONDS = 30
"""Within which an admitted stage must have a running pod."""


@contextmanager
def installed(cluster: Cluster) -> Iterator[None]:
    """Kueue, and the operator told of it. It must go again: its webhooks are on the way of every Job and Pod."""
    hack("cluster", "kueue", "--name", cluster.name, "--pods-ready", str(PODS_READY_SECONDS))
    try:
        with _operator_with_kueue(cluster):
            yield
    finally:
        hack("cluster", "kueue", "--name", cluster.name, "--remove")


@contextmanager
def _operator_with_kueue(cluster: Cluster) -> Iterator[None]:
    helm = ("helm", "--namespace", OPERATOR_NAMESPACE)
    within = ("--wait", "--timeout", "120s")
    cluster.run(*helm, "upgrade", RELEASE, str(CHART), "--reuse-values", "--set", "kueue.enabled=true", *within)
    try:
        yield
    finally:
        cluster.run(*helm, "rollback", RELEASE, *within)


def make_queue(workspace: Workspace, cpu: str) -> str:
    """The workspace's LocalQueue and a ClusterQueue with so much CPU; the ClusterQueue's name.

    It is also the name of a WorkloadPriorityClass, whose Workloads may take the place of others.
    """
    name = workspace.namespace
    workspace.cluster.apply(_object("ResourceFlavor", name, {}), _priority(name))
    set_quota(workspace, cpu)
    workspace.apply_document(_object("LocalQueue", LOCAL_QUEUE, {"clusterQueue": name}))
    return name


def set_quota(workspace: Workspace, cpu: str) -> None:
    name = workspace.namespace
    quota = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "64Gi"}]
    groups = [{"coveredResources": ["cpu", "memory"], "flavors": [{"name": name, "resources": quota}]}]
    rules = {"namespaceSelector": {}, "preemption": {"withinClusterQueue": "LowerPriority"}}
    workspace.cluster.apply(_object("ClusterQueue", name, rules | {"resourceGroups": groups}))


def remove_queue(workspace: Workspace) -> None:
    """Kueue keeps a ClusterQueue while Workloads of it run, and a flavour while a ClusterQueue has it."""
    workspace.kubectl("delete", "ftj", "--all", "--cascade=foreground")
    workspace.kubectl("delete", "localqueue", LOCAL_QUEUE)
    workspace.cluster.kubectl("delete", "clusterqueue", workspace.namespace)
    workspace.cluster.kubectl("delete", "resourceflavor", workspace.namespace)
    workspace.cluster.kubectl("delete", "workloadpriorityclass", workspace.namespace)


def workload_of(workspace: Workspace, job: Json) -> str:
    """Name of the Workload that stands for a Job."""
    found = workspace.get("workloads.kueue.x-k8s.io", "-l", f"kueue.x-k8s.io/job-uid={job['metadata']['uid']}")
    (workload,) = found["items"]
    return workload["metadata"]["name"]


def activate(workspace: Workspace, workload: str, *, active: bool) -> None:
    """Whether Kueue may admit a Workload; one that it has admitted, it evicts."""
    change = f'{{"spec":{{"active":{str(active).lower()}}}}}'
    workspace.kubectl("patch", "workloads.kueue.x-k8s.io", workload, "--type=merge", "-p", change)


def queueing_spec(workspace: Workspace, name: str, steps: int, **system: Any) -> Json:
    """A spec of one pass of so many steps, in the queue, of which no pod may be tried again."""
    queueing = manifests.system("queueing", queueName=LOCAL_QUEUE, **system)
    passes = [with_change(manifests.lora("tune", steps), "lora.training.seed", steps)]
    return workspace.spec(name, passes, [queueing]) | {"backoffLimit": 0}


def queued(*words: str) -> Callable[[Json], bool]:
    """Whether a status tells that the job waits in its queue, in these words among others."""

    def holds(status: Json) -> bool:
        told = reconciling(status)
        return told.get("reason") == "Queued" and all(word in told["message"] for word in words)

    return holds


def _priority(name: str) -> Json:
    return {"apiVersion": API, "kind": "WorkloadPriorityClass", "metadata": {"name": name}, "value": 1000}


def _object(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
