"""A node that is cordoned and drained while a pass runs, the operator on it too; the cluster has no other."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import cluster_operator as operator
from cluster_access import Cluster, watch
from cluster_store import cache_keys
from cluster_witness import SECOND, assert_complete_and_at_rest, reconciling, resumed, second_moves, two_passes
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
STEPS = 2000
DRAIN_SECONDS = 120
ASKED_TO_STOP = 143

pytestmark = [pytest.mark.disruptive, pytest.mark.faults, pytest.mark.minutes(1.1)]


@pytest.fixture
def node(cluster: Cluster) -> Any:
    """Its name; the operator may come back to it though it is cordoned, as it would to another."""
    name = cluster.environment["NODE_NAME"]
    with operator.changed(
        cluster, {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}
    ):
        try:
            yield name
        finally:
            cluster.kubectl("uncordon", name)


def test_a_drained_pod_keeps_a_checkpoint_and_the_next_goes_on_once_there_is_a_node(
    workspace: Workspace, node: str
) -> None:
    workspace.apply("drained", two_passes(workspace, "drained", STEPS))
    before = workspace.status_when("drained", second_moves, CHAIN_SECONDS, "its second pass moved")
    pod = workspace.running_pod("drained")["metadata"]["name"]
    with ThreadPoolExecutor(1) as pool:
        exit_code, drained = drain(workspace, pool, node, pod)
        waiting = workspace.status_when("drained", is_unschedulable, PREPARE_SECONDS, "it was told unschedulable")
        drained.result()
    assert exit_code == ASKED_TO_STOP
    assert "were unschedulable" in reconciling(waiting)["message"]
    assert checkpoints(workspace, waiting) > 0

    workspace.cluster.kubectl("uncordon", node)
    after = workspace.status_when("drained", resumed, CHAIN_SECONDS, "the next pod went on")
    assert after["progress"]["resumedFromStep"] >= before["progress"]["step"]
    assert_complete_and_at_rest(workspace, "drained")


def drain(workspace: Workspace, pool: ThreadPoolExecutor, node: str, pod: str) -> tuple[int, Future[str]]:
    """Exit code of a pod that `kubectl drain` evicts, and the drain, which goes on."""
    seen = watch(workspace.cluster, "-n", workspace.namespace, "pod", pod, seconds=DRAIN_SECONDS)
    next(seen)
    within = f"--timeout={DRAIN_SECONDS}s"
    command = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", within)
    draining = pool.submit(workspace.cluster.kubectl, *command)
    ends = (container["state"].get("terminated") for status in seen for container in status["containerStatuses"])
    return next(end["exitCode"] for end in ends if end), draining


def is_unschedulable(status: Json) -> bool:
    return reconciling(status).get("reason") == "Unschedulable"


def checkpoints(workspace: Workspace, status: Json) -> int:
    """How many of the second pass are complete."""
    folder = f"store/{workspace.namespace}/cache/{cache_keys(status)[SECOND]}/checkpoints/"
    return sum(key.endswith("/manifest.json") for key in workspace.bucket.keys(folder))
