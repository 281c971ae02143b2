"""kubectl delete: nothing is left running, and the artifact goes with its job where that was asked for."""

from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_access import until
from cluster_workspace import PREPARE_SECONDS, Workspace, in_phase

Json = dict[str, Any]
LONG = 100000
"""Steps: longer than any test waits."""
SECONDS = 60


def with_job(spec: Json) -> Json:
    return spec | {"artifactDeletion": "WithJob"}


def delete(workspace: Workspace, name: str, cascade: str) -> None:
    workspace.kubectl("delete", "ftj", name, f"--cascade={cascade}", f"--timeout={SECONDS}s")


@pytest.mark.parametrize("cascade", ["foreground", "background"])
def test_nothing_is_left_running_however_a_job_is_deleted(workspace: Workspace, cascade: str) -> None:
    name = f"running-{cascade}"
    workspace.apply(name, workspace.spec(name, [manifests.lora(max_steps=LONG)]))
    workspace.running_pod(name)
    assert "finalizers" not in workspace.get("ftj", name)["metadata"]
    delete(workspace, name, cascade)
    until(lambda: workspace.jobs(name) == [] and workspace.stage_pods(name) == [], SECONDS, "its Job and pods are gone")


def test_the_artifact_goes_with_its_job(workspace: Workspace) -> None:
    workspace.apply("going", with_job(workspace.spec("going", [manifests.lora(max_steps=2)])))
    uid = workspace.get("ftj", "going")["metadata"]["uid"]
    status = workspace.completed("going")
    assert "published/going/manifest.json" in workspace.bucket.keys("published/going/")

    delete(workspace, "going", "background")

    assert workspace.bucket.keys("published/going/") == []
    assert workspace.bucket.keys(f"store/{workspace.namespace}/jobs/{uid}/") == []
    assert workspace.bucket.keys(f"store/{workspace.namespace}/cache/{status['passes'][0]['cacheKey']}/") != []
    told = [event["reason"] for event in workspace.get("events")["items"] if event["involvedObject"]["name"] == "going"]
    assert {"DeletingArtifact", "ArtifactDeleted"} <= set(told)


def test_a_namespace_goes_though_its_jobs_artifact_cannot_be_removed_any_more(workspace: Workspace) -> None:
    """In one of its own, beside the others'."""
    namespace = f"{workspace.namespace}-going"
    spec = with_job(workspace.spec("kept", [manifests.lora(max_steps=2)]))
    spec["suspend"] = True
    other = Workspace(workspace.cluster, namespace, workspace.bucket)
    workspace.cluster.kubectl("create", "namespace", namespace)
    other.apply("kept", spec)
    other.status_when("kept", in_phase("Suspended"), PREPARE_SECONDS, "it was Suspended")
    assert other.get("ftj", "kept")["metadata"]["finalizers"] == ["finetune-operator.dev/artifact-deletion"]
    workspace.cluster.kubectl("delete", "namespace", namespace, f"--timeout={SECONDS}s")
