"""The leader of two operators dies under fifty running jobs: the other leads, and nothing is lost or made twice.

Three of the jobs run in pods of their own; the others' pods are on a node without a kubelet, and end as the test says.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_simulated_nodes import SimulatedPods, simulated_node
from cluster_simulated_nodes import system as simulated_system
from cluster_store import attempts
from cluster_workspace import CHAIN_SECONDS, STAGE_LABEL, Workspace
from operator_world import message

Json = dict[str, Any]
REAL = ("real-0", "real-1", "real-2")
SIMULATED = tuple(f"simulated-{number:02}" for number in range(47))
UNSEEN = 20
"""Stages that end while nobody leads."""
LONG_STEPS = 800
ALL_RUN_SECONDS = 120
CAUGHT_UP_SECONDS = 30

pytestmark = pytest.mark.faults
logger = logging.getLogger(__name__)


@pytest.fixture
def pods(cluster: Cluster, workspace: Workspace) -> Iterator[SimulatedPods]:
    """Two operators, and a node for the pods that run nothing."""
    with simulated_node(cluster), operator.two_replicas(cluster):
        found = SimulatedPods(cluster, workspace.namespace)
        yield found
        workspace.kubectl("delete", "ftj", "--all")
        found.remove()


def jobs(workspace: Workspace) -> list[Json]:
    """All that there are, as documents."""
    return [*(_simulated(workspace, name) for name in SIMULATED), *(_real(workspace, name) for name in REAL)]


def _real(workspace: Workspace, name: str) -> Json:
    tune = manifests.lora(max_steps=LONG_STEPS)
    tune["lora"]["training"]["seed"] = REAL.index(name)
    return manifests.job(name, workspace.spec(name, [tune]))


def _simulated(workspace: Workspace, name: str) -> Json:
    spec = workspace.spec(name, [manifests.lora()], [simulated_system("simulated")])
    return manifests.job(name, spec | {"prepare": {"system": "simulated"}})


def phases(workspace: Workspace) -> dict[str, str]:
    found = workspace.get("ftj")["items"]
    return {job["metadata"]["name"]: job.get("status", {}).get("phase", "") for job in found}


def children(workspace: Workspace) -> set[str]:
    """UIDs of all Jobs."""
    return {job["metadata"]["uid"] for job in workspace.get("jobs")["items"]}


def end_prepares(pods: SimulatedPods) -> None:
    for pod in pods.running(f"!{STAGE_LABEL}"):
        pods.end(pod, message("prepare", set(), passes=1))


def end_stages(pods: SimulatedPods, most: int) -> set[str]:
    """Names of the jobs whose stage it was."""
    ended = pods.running(STAGE_LABEL)[:most]
    for pod in ended:
        pods.end(pod, message("stage", {0}, passes=1, published=True))
    return {pod.metadata.annotations["finetune-operator.dev/job-name"] for pod in ended}


def all_running(workspace: Workspace, pods: SimulatedPods) -> bool:
    """A job says Running when it is prepared: its stage's pod may still have to start."""
    pods.start()
    end_prepares(pods)
    return set(phases(workspace).values()) == {"Running"} and len(pods.running(STAGE_LABEL)) == len(SIMULATED)


def test_the_leader_dies_under_fifty_running_jobs(cluster: Cluster, workspace: Workspace, pods: SimulatedPods) -> None:
    workspace.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(jobs(workspace)))
    until(lambda: all_running(workspace, pods), ALL_RUN_SECONDS, "fifty jobs run")
    before = children(workspace)
    assert len(before) == 2 * len(REAL + SIMULATED)

    dead, died = operator.leader(cluster), time.monotonic()
    operator.crash_for_good(cluster, dead)
    unseen = end_stages(pods, UNSEEN)
    assert operator.leader(cluster) == dead, "another led before anything could go unseen"
    until(lambda: operator.leader(cluster) not in ("", dead), operator.TAKE_OVER_SECONDS, "another leads")
    led = time.monotonic() - died
    assert led < operator.TAKE_OVER_SECONDS
    until(lambda: ended(workspace) >= unseen, CAUGHT_UP_SECONDS, "what ended meanwhile is seen")
    logger.info("another leads after %.1f s, all that ended is seen after %.1f s", led, time.monotonic() - died)

    end_stages(pods, len(SIMULATED))
    until(lambda: not unended(workspace), CHAIN_SECONDS, "all jobs are Complete", left=lambda: unended(workspace))
    assert children(workspace) == before
    for name in REAL:
        status = workspace.status(name)
        assert [step["attempts"] for step in status["passes"]] == [1]
        assert [len(tries) for tries in attempts(workspace, status).values()] == [1]


def ended(workspace: Workspace) -> set[str]:
    return {name for name, phase in phases(workspace).items() if phase == "Complete"}


def unended(workspace: Workspace) -> dict[str, str]:
    return {name: phase for name, phase in phases(workspace).items() if phase != "Complete"}
