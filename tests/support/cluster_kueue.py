"""Kueue in the tests' cluster: installed and removed, queues with a quota, and Workloads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster_access import Cluster
from cluster_setup import CHART, NAME, OPERATOR_NAMESPACE, RELEASE, hack
from cluster_workspace import Workspace

Json = dict[str, Any]
LOCAL_QUEUE = "team-a"
API = "kueue.x-k8s.io/v1beta2"


@contextmanager
def installed(cluster: Cluster) -> Iterator[None]:
    """Kueue, and the operator told of it. It must go again: its webhooks are on the way of every Job and Pod."""
    hack("cluster", "kueue", "--name", NAME)
    try:
        with _operator_with_kueue(cluster):
            yield
    finally:
        hack("cluster", "kueue", "--name", NAME, "--remove")


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
    """The workspace's LocalQueue and a ClusterQueue with so much CPU; the ClusterQueue's name."""
    name = workspace.namespace
    workspace.cluster.apply(_object("ResourceFlavor", name, {}))
    set_quota(workspace, cpu)
    workspace.apply_document(_object("LocalQueue", LOCAL_QUEUE, {"clusterQueue": name}))
    return name


def set_quota(workspace: Workspace, cpu: str) -> None:
    name = workspace.namespace
    quota = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "64Gi"}]
    groups = [{"coveredResources": ["cpu", "memory"], "flavors": [{"name": name, "resources": quota}]}]
    workspace.cluster.apply(_object("ClusterQueue", name, {"namespaceSelector": {}, "resourceGroups": groups}))


def remove_queue(workspace: Workspace) -> None:
    """Kueue keeps a ClusterQueue while Workloads of it run, and a flavour while a ClusterQueue has it."""
    workspace.kubectl("delete", "ftj", "--all", "--cascade=foreground")
    workspace.kubectl("delete", "localqueue", LOCAL_QUEUE)
    workspace.cluster.kubectl("delete", "clusterqueue", workspace.namespace)
    workspace.cluster.kubectl("delete", "resourceflavor", workspace.namespace)


def workload_of(workspace: Workspace, job: Json) -> str:
    """Name of the Workload that stands for a Job."""
    found = workspace.get("workloads.kueue.x-k8s.io", "-l", f"kueue.x-k8s.io/job-uid={job['metadata']['uid']}")
    (workload,) = found["items"]
    return workload["metadata"]["name"]


def activate(workspace: Workspace, workload: str, *, active: bool) -> None:
    """Whether Kueue may admit a Workload; one that it has admitted, it evicts."""
    change = f'{{"spec":{{"active":{str(active).lower()}}}}}'
    workspace.kubectl("patch", "workloads.kueue.x-k8s.io", workload, "--type=merge", "-p", change)


def _object(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
