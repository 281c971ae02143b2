"""A pod that is ended for what it takes, its memory or its scratch space, ends its job by the right name."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_workspace import Workspace

Json = dict[str, Any]
ENDLESS = 1_000_000
RETRIES = 3
"""None of which is made."""
TOO_LITTLE = {
    "memory": {"resources": {"limits": {"memory": "96Mi"}}},
    "scratch": {"scratchSize": "100Ki"},
}


@pytest.fixture(scope="module")
def failures(workspace: Workspace) -> dict[str, Json]:
    """What each job fails with; side by side, since the kubelet takes its time to look at volumes."""

    def failure(name: str) -> Json:
        systems = [manifests.system("cpu"), manifests.system("small", **TOO_LITTLE[name])]
        spec = workspace.spec(name, [manifests.lora(max_steps=ENDLESS, system="small")], systems)
        workspace.apply(name, spec | {"backoffLimit": RETRIES})
        return workspace.failed(name)

    with ThreadPoolExecutor() as pool:
        return dict(zip(TOO_LITTLE, pool.map(failure, TOO_LITTLE), strict=True))


def test_a_pod_that_the_kernel_killed_for_its_memory_is_told_from_one_that_was_asked_to_stop(
    failures: dict[str, Json],
) -> None:
    failure = failures["memory"]
    assert (failure["reason"], failure["exitCode"], failure["pass"]) == ("OutOfHostMemory", 137, "tune")
    assert failure["path"] == "spec.systems[1]"
    assert "raise the memory in the system's resources" in failure["remedy"]


def test_a_pod_that_was_evicted_for_its_scratch_space_is_out_of_disk(failures: dict[str, Json]) -> None:
    failure = failures["scratch"]
    assert (failure["reason"], failure["pass"]) == ("OutOfDisk", "tune")
    assert failure["path"] == "spec.systems[1]"
    assert "scratchSize" in failure["remedy"]


@pytest.mark.usefixtures("failures")
@pytest.mark.parametrize("name", TOO_LITTLE)
def test_nothing_of_the_job_is_left_running(workspace: Workspace, name: str) -> None:
    phases = {pod["status"]["phase"] for pod in workspace.stage_pods(name)}
    assert phases <= {"Failed", "Succeeded"}
