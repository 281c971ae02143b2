"""A stage's pod or Job that goes away in the middle of a pass: the next pod does not begin anew."""

import re
from typing import Any

import cluster_manifests as manifests
from cluster_access import until
from cluster_manifests import with_change
from cluster_store import attempts
from cluster_store import manifests as committed
from cluster_witness import moved, resumed
from cluster_workspace import CHAIN_SECONDS, Workspace, is_running

Json = dict[str, Any]
LONG_STEPS = 800
"""Some seconds of training."""


def spec_of(workspace: Workspace, name: str, seed: int) -> Json:
    """A short pass, then a long one, in one pod; a seed of its own, so that it shares no work with another job."""
    passes = [manifests.lora("short", 2), manifests.lora("long", LONG_STEPS, input="base")]
    spec = with_change(workspace.spec(name, passes), "backoffLimit", 3)
    return with_change(with_change(spec, "passes.0.lora.training.seed", seed), "passes.1.lora.training.seed", seed)


def long_pass_moved(status: Json) -> bool:
    """It has done steps, so that there is something to lose; and the short pass is committed."""
    return status.get("currentPass") == "long" and moved(status)


def assert_committed_passes_were_not_done_again(workspace: Workspace, before: Json, after: Json) -> None:
    assert set(committed(workspace, after)) == {"short", "long"}
    assert committed(workspace, after)["short"] == committed(workspace, before)["short"]
    assert attempts(workspace, after)["short"] == attempts(workspace, before)["short"]


def test_the_pod_after_a_deleted_one_goes_on_from_a_step_above_zero(workspace: Workspace) -> None:
    workspace.apply("pod-deleted", spec_of(workspace, "pod-deleted", 1))
    before = workspace.status_when("pod-deleted", long_pass_moved, CHAIN_SECONDS, "the long pass moved")
    first = workspace.running_pod("pod-deleted")["metadata"]["name"]

    workspace.kubectl("delete", "pod", first, "--wait=false")

    second = until(lambda: another_pod(workspace, first), CHAIN_SECONDS, "another pod runs")
    after = workspace.status_when("pod-deleted", resumed, CHAIN_SECONDS, "the second pod went on")
    step = after["progress"]["resumedFromStep"]
    assert step >= before["progress"]["step"] > 0
    assert re.search(rf"resumed from step {step} of {LONG_STEPS}", workspace.kubectl("logs", second))
    done = workspace.completed("pod-deleted")
    assert_committed_passes_were_not_done_again(workspace, before, done)
    left = workspace.bucket.keys(f"store/{workspace.namespace}/cache/{done['passes'][1]['cacheKey']}/checkpoints/")
    assert list(left) == []


def test_after_a_stage_job_is_deleted_another_does_what_was_not_committed(workspace: Workspace) -> None:
    workspace.apply("job-deleted", spec_of(workspace, "job-deleted", 2))
    before = workspace.status_when("job-deleted", long_pass_moved, CHAIN_SECONDS, "the long pass moved")
    (stage,) = workspace.stage_jobs("job-deleted")
    workspace.kubectl("delete", "job", stage["metadata"]["name"], "--wait=false")
    assert_committed_passes_were_not_done_again(workspace, before, workspace.completed("job-deleted"))


def another_pod(workspace: Workspace, first: str) -> str | None:
    pods = (pod for pod in workspace.stage_pods("pod-deleted") if is_running(pod))
    return next((pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"] != first), None)
