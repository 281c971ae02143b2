"""What jobs leave behind that were deleted, or have ended: nothing that runs, and no more than was asked for."""

from dataclasses import replace
from typing import Any

import cluster_manifests as manifests
from cluster_access import until
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace, in_phase

Json = dict[str, Any]
FINALIZER = "finetune-operator.dev/artifact-deletion"
LONG = {"foreground": 100000, "background": 100001}
"""Steps: longer than any test waits; and no two jobs make the same pass, which one of them would wait for."""
NO_IMAGE = {"image": "registry.invalid/none:1", "accelerator": {"resourceName": "nvidia.com/gpu", "count": 1}}
"""A pod that gets its node and its accelerator, and never starts."""


def with_job(spec: Json) -> Json:
    return spec | {"artifactDeletion": "WithJob"}


def delete(workspace: Workspace, name: str, cascade: str) -> None:
    workspace.kubectl("delete", "ftj", name, f"--cascade={cascade}", f"--timeout={CHAIN_SECONDS}s")


def nothing_left(workspace: Workspace, name: str) -> None:
    until(lambda: not workspace.jobs(name) + workspace.stage_pods(name), CHAIN_SECONDS, "its Jobs and pods are gone")


def test_nothing_is_left_running_however_a_job_is_deleted(workspace: Workspace) -> None:
    for cascade, steps in LONG.items():
        workspace.apply(cascade, workspace.spec(cascade, [manifests.lora(max_steps=steps)]))
    for cascade in LONG:
        workspace.running_pod(cascade)
        assert "finalizers" not in workspace.get("ftj", cascade)["metadata"]
        delete(workspace, cascade, cascade)
    for cascade in LONG:
        nothing_left(workspace, cascade)


def test_a_completed_jobs_jobs_go_after_their_time_and_its_artifact_with_the_job(workspace: Workspace) -> None:
    spec = with_job(workspace.spec("going", [manifests.lora(max_steps=2)]))
    workspace.apply("going", spec | {"ttlSecondsAfterFinished": {"succeeded": 1}})
    uid = workspace.get("ftj", "going")["metadata"]["uid"]
    status = workspace.completed("going")
    nothing_left(workspace, "going")
    assert "published/going/manifest.json" in workspace.bucket.keys("published/going/")
    assert workspace.status("going") == status

    delete(workspace, "going", "background")

    assert workspace.bucket.keys("published/going/") == []
    assert workspace.bucket.keys(f"store/{workspace.namespace}/jobs/{uid}/") == []
    assert workspace.bucket.keys(f"store/{workspace.namespace}/cache/{status['passes'][0]['cacheKey']}/") != []
    told = [event["reason"] for event in workspace.get("events")["items"] if event["involvedObject"]["uid"] == uid]
    assert {"DeletingArtifact", "ArtifactDeleted"} <= set(told)


def test_a_job_that_has_held_accelerators_for_its_time_fails_and_its_jobs_go_after_theirs(workspace: Workspace) -> None:
    systems = [manifests.system("cpu"), manifests.system("gpu", **NO_IMAGE)]
    spec = workspace.spec("spent", [manifests.lora(system="gpu", max_steps=3)], systems)
    limits = {"limits": {"acceleratorHours": 0.0005}, "ttlSecondsAfterFinished": {"failed": 1}}
    workspace.apply("spent", spec | limits)
    failure = workspace.failed("spent", PREPARE_SECONDS)
    assert (failure["reason"], failure["path"]) == ("DeadlineExceeded", "spec.limits.acceleratorHours")
    assert workspace.status("spent")["acceleratorSeconds"] >= 1
    nothing_left(workspace, "spent")


def test_a_namespace_goes_though_its_jobs_artifact_cannot_be_removed_any_more(workspace: Workspace) -> None:
    """In one of its own, beside the others'."""
    namespace = f"{workspace.namespace}-going"
    spec = with_job(workspace.spec("kept", [manifests.lora(max_steps=2)]))
    other = replace(workspace, namespace=namespace)
    workspace.cluster.kubectl("create", "namespace", namespace)
    other.apply("kept", spec | {"suspend": True})
    other.status_when("kept", in_phase("Suspended"), PREPARE_SECONDS, "it was Suspended")
    assert other.get("ftj", "kept")["metadata"]["finalizers"] == [FINALIZER]
    workspace.cluster.kubectl("delete", "namespace", namespace, "--timeout=60s")
