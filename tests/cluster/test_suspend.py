"""A suspended job holds nothing; a resumed one goes on where it was."""

import cluster_manifests as manifests
from cluster_access import until
from cluster_manifests import with_change
from cluster_store import attempts
from cluster_workspace import CHAIN_SECONDS, Workspace, in_phase

LONG = 800
"""Steps: some seconds of training."""


def test_suspend_frees_the_pod_and_resume_completes(workspace: Workspace) -> None:
    passes = [manifests.lora("short", 2), manifests.lora("long", LONG, input="base")]
    spec = workspace.spec("pausing", passes)
    workspace.apply("pausing", spec)
    status = workspace.status_when("pausing", long_runs, CHAIN_SECONDS, "the long pass ran")
    first_pod = attempts(workspace, status)["short"]

    workspace.apply("pausing", with_change(spec, "suspend", True))
    workspace.status_when("pausing", in_phase("Suspended"), CHAIN_SECONDS, "it was Suspended")
    until(lambda: workspace.stage_pods("pausing") == [], CHAIN_SECONDS, "the stage's pod is gone")

    workspace.apply("pausing", with_change(spec, "suspend", False))
    done = workspace.completed("pausing")
    assert attempts(workspace, done)["short"] == first_pod, "the committed pass was done again"
    assert "create a new FineTuneJob instead" in workspace.try_apply("pausing", with_change(spec, "suspend", True))
    workspace.apply("pausing", with_change(spec, "suspend", False))


def test_a_running_jobs_spec_can_not_be_changed(workspace: Workspace) -> None:
    spec = with_change(workspace.spec("fixed", [manifests.lora("tune", LONG)]), "passes.0.lora.training.seed", 7)
    workspace.apply("fixed", spec)
    workspace.running_pod("fixed")
    said = workspace.try_apply("fixed", with_change(spec, "passes.0.lora.r", 8))
    assert "passes is immutable" in said
    assert "create a new FineTuneJob instead" in said
    workspace.kubectl("delete", "ftj", "fixed", "--wait=false")


def test_a_job_created_suspended_starts_nothing_until_it_is_resumed(workspace: Workspace) -> None:
    spec = workspace.spec("waiting", [manifests.lora("short", 2)])
    workspace.apply("waiting", with_change(spec, "suspend", True))
    workspace.status_when("waiting", in_phase("Suspended"), CHAIN_SECONDS, "it was Suspended")
    assert workspace.jobs("waiting") == []
    workspace.apply("waiting", spec | {"suspend": False})
    workspace.completed("waiting")


def long_runs(status: dict) -> bool:
    """And so the short pass is committed: a stage begins a pass when the one before is."""
    return status.get("currentPass") == "long"
