"""Real pods that are evicted again and again: a job that gets nowhere is given up, one that gets on is not."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_access import until
from cluster_witness import assert_failed_and_at_rest, live_pods, moved, resumed
from cluster_workspace import CHAIN_SECONDS, Workspace, is_running

Json = dict[str, Any]
ENDLESS = 1_000_000
GRACE_SECONDS = 20
EVICTIONS = 3
GONE_SECONDS = 60

pytestmark = [pytest.mark.faults, pytest.mark.minutes(2.5)]


def spec_of(workspace: Workspace, name: str, limit: int) -> Json:
    """A pass without end, of a seed of its own; no failure is retried, so that whatever goes on was no failure."""
    step = manifests.with_change(manifests.lora(max_steps=ENDLESS), "lora.training.seed", sum(map(ord, name)))
    systems = [manifests.system("cpu", terminationGracePeriodSeconds=GRACE_SECONDS)]
    return workspace.spec(name, [step], systems) | {"backoffLimit": 0, "disruptionLimit": limit}


def evict(workspace: Workspace, pod: Json) -> None:
    """As `kubectl drain` does it."""
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    place = f"/api/v1/namespaces/{workspace.namespace}/pods/{name}/eviction"
    workspace.kubectl("create", "--raw", place, "-f", "-", stdin=json.dumps(eviction))


def next_pod(workspace: Workspace, name: str, seen: set[str]) -> Json:
    """A pod that runs and was not seen before."""

    def found() -> Json | None:
        pods = (pod for pod in workspace.stage_pods(name) if is_running(pod))
        return next((pod for pod in pods if pod["metadata"]["uid"] not in seen), None)

    pod = until(found, CHAIN_SECONDS, f"another pod of {name} runs")
    seen.add(pod["metadata"]["uid"])
    return pod


def test_a_job_whose_pods_are_evicted_before_there_is_a_checkpoint_is_given_up(workspace: Workspace) -> None:
    seen = set[str]()
    workspace.apply("nowhere", spec_of(workspace, "nowhere", limit=EVICTIONS - 1))
    for _ in range(EVICTIONS):
        evict(workspace, next_pod(workspace, "nowhere", seen))
    failure = assert_failed_and_at_rest(workspace, "nowhere")
    assert (failure["reason"], failure["pass"], failure["path"]) == ("Evicted", "tune", "spec.disruptionLimit")
    often = f"disrupted {EVICTIONS} times in a row (the last time: EvictionByEvictionAPI)"
    assert failure["message"] == f"{often}, each time before its first checkpoint"
    assert "saveSeconds" in failure["remedy"]


def test_a_job_whose_pods_each_leave_a_checkpoint_is_evicted_as_often_and_goes_on(workspace: Workspace) -> None:
    seen, begun = set[str](), 0
    workspace.apply("gets-on", spec_of(workspace, "gets-on", limit=1))
    workspace.status_when("gets-on", moved, CHAIN_SECONDS, "it trained")
    for _ in range(EVICTIONS):
        evict(workspace, next_pod(workspace, "gets-on", seen))
        status = workspace.status_when("gets-on", moved_from_beyond(begun), CHAIN_SECONDS, "it went on")
        begun = status["progress"]["resumedFromStep"]
    assert status["disruptions"]["count"] == 0
    assert status["disruptions"]["checkpointStep"] == begun
    workspace.kubectl("delete", "ftj", "gets-on")


def test_a_stage_whose_job_is_suspended_as_kueue_does_it_is_not_disrupted(workspace: Workspace) -> None:
    workspace.apply("queued", spec_of(workspace, "queued", limit=0))
    workspace.status_when("queued", moved, CHAIN_SECONDS, "it trained")
    (stage,) = workspace.stage_jobs("queued")
    suspend(workspace, stage, True)
    until(lambda: not live_pods(workspace, "queued"), GONE_SECONDS, "its pod makes room")
    suspend(workspace, stage, False)
    status = workspace.status_when("queued", resumed, CHAIN_SECONDS, "it went on from its checkpoint")
    assert "disruptions" not in status
    workspace.kubectl("delete", "ftj", "queued")


def moved_from_beyond(step: int) -> Callable[[Json], bool]:
    """A pod has gone on from a later checkpoint than that, and done steps of its own."""

    def holds(status: Json) -> bool:
        progress = status.get("progress", {})
        return step < progress.get("resumedFromStep", 0) < progress["step"]

    return holds


def suspend(workspace: Workspace, job: Json, suspended: bool) -> None:
    change = json.dumps({"spec": {"suspend": suspended}})
    workspace.kubectl("patch", "job", job["metadata"]["name"], "--type=merge", "-p", change)
