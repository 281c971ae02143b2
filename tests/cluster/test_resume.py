"""A stage's pod that goes away in the middle of a tuning pass: the next one goes on from its checkpoint."""

import re

import cluster_manifests as manifests
from cluster_access import until
from cluster_manifests import with_change
from cluster_workspace import CHAIN_SECONDS, Workspace, is_running

LONG_STEPS = 2000


def moved(status: dict) -> bool:
    """The pass has done steps, so that there is something to lose."""
    return status.get("progress", {}).get("step", 0) > 0


def resumed(status: dict) -> bool:
    return status.get("progress", {}).get("resumedFromStep", 0) > 0


def test_the_pod_after_a_deleted_one_goes_on_from_a_step_above_zero(workspace: Workspace) -> None:
    spec = with_change(workspace.spec("resuming", [manifests.lora("long", LONG_STEPS)]), "backoffLimit", 3)
    workspace.apply("resuming", spec)
    before = workspace.status_when("resuming", moved, CHAIN_SECONDS, "the pass moved")
    first = workspace.running_pod("resuming")["metadata"]["name"]

    workspace.kubectl("delete", "pod", first, "--wait=false")

    second = until(lambda: another_pod(workspace, first), CHAIN_SECONDS, "another pod runs")
    after = workspace.status_when("resuming", resumed, CHAIN_SECONDS, "the second pod went on")
    step = after["progress"]["resumedFromStep"]
    assert step >= before["progress"]["step"] > 0
    assert re.search(rf"resumed from step {step} of {LONG_STEPS}", workspace.kubectl("logs", second))
    done = workspace.completed("resuming")
    left = workspace.bucket.keys(f"store/{workspace.namespace}/cache/{done['passes'][0]['cacheKey']}/checkpoints/")
    assert list(left) == []


def another_pod(workspace: Workspace, first: str) -> str | None:
    pods = (pod for pod in workspace.stage_pods("resuming") if is_running(pod))
    return next((pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"] != first), None)
