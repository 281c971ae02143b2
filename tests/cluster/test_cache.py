"""Work that was done once is found again."""

from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_witness import moved
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
LONG_STEPS = 1000
"""That take longer than another job's prepare."""


@pytest.fixture(scope="module")
def repeated(main_job: Json, shared_workspace: Workspace) -> Json:
    """The main job under another name, Complete."""
    passes = [manifests.lora(), manifests.merge(), manifests.int4(), manifests.check()]
    shared_workspace.apply("again", shared_workspace.spec("again", passes))
    shared_workspace.completed("again", PREPARE_SECONDS)
    return shared_workspace.get("ftj", "again")


def test_the_same_job_under_another_name_needs_no_stage(repeated: Json, shared_workspace: Workspace) -> None:
    assert [step.get("jobName", "") for step in repeated["status"]["passes"]] == [""] * 4
    assert [step.get("attempts", 0) for step in repeated["status"]["passes"]] == [0] * 4
    assert shared_workspace.stage_jobs("again") == shared_workspace.stage_pods("again") == []


def test_it_prepares_once_and_does_nothing_else(repeated: Json, shared_workspace: Workspace) -> None:
    assert repeated["status"]["prepare"]["attempt"] == 1
    assert len(shared_workspace.jobs("again")) == 1


def test_it_says_which_passes_were_there_already(repeated: Json) -> None:
    assert [step["cacheHit"] for step in repeated["status"]["passes"]] == [True] * 4
    assert [step["state"] for step in repeated["status"]["passes"]] == ["Succeeded"] * 4


def test_it_publishes_the_same_artifact_at_its_own_place(
    repeated: Json, main_job: Json, shared_workspace: Workspace
) -> None:
    (first,), (second,) = main_job["status"]["artifacts"], repeated["status"]["artifacts"]
    assert second["digest"] == first["digest"]
    assert second["uri"] == shared_workspace.bucket.uri("published/again")
    assert "published/again/manifest.json" in shared_workspace.bucket.keys("published/again/")


def test_it_shows_the_same_figures(repeated: Json, main_job: Json) -> None:
    assert repeated["status"]["passes"][3]["metrics"] == main_job["status"]["passes"][3]["metrics"]


def test_a_cached_output_that_was_altered_is_made_anew_by_its_own_stage(workspace: Workspace) -> None:
    systems = [manifests.system("cpu"), manifests.system("other")]
    workspace.apply("made", workspace.spec("made", [manifests.lora(system="cpu")], systems))
    workspace.completed("made", CHAIN_SECONDS)
    alter(workspace, "adapter_model.safetensors")

    workspace.apply(
        "again", workspace.spec("again", [manifests.lora(system="cpu"), manifests.merge(system="other")], systems)
    )
    workspace.completed("again", 2 * CHAIN_SECONDS)

    status = workspace.status("again")
    assert status["prepare"]["attempt"] == 2
    assert [step["state"] for step in status["passes"]] == ["Succeeded"] * 2
    assert not status["passes"][0].get("cacheHit", False)


def test_while_a_job_makes_a_pass_another_that_needs_it_waits_without_a_stage(workspace: Workspace) -> None:
    passes = [manifests.lora(max_steps=LONG_STEPS)]
    workspace.apply("first", workspace.spec("first", passes))
    workspace.status_when("first", moved, CHAIN_SECONDS, "its pass moved")
    workspace.apply("second", workspace.spec("second", passes))

    waiting = workspace.status_when("second", waits, PREPARE_SECONDS, "it waited")
    reason = next(told for told in waiting["conditions"] if told["type"] == "Reconciling")
    assert reason["message"] == "job first makes pass tune, which this job needs too"

    made, found = workspace.completed("first"), workspace.completed("second")
    assert found["passes"][0]["artifact"] == made["passes"][0]["artifact"]
    assert found["passes"][0]["cacheHit"]
    assert workspace.stage_jobs("second") == []


def waits(status: Json) -> bool:
    return status.get("phase") == "Waiting" and status["waiting"]["reason"] == "WaitingForJob"


def alter(workspace: Workspace, file: str) -> None:
    """One bit of a file in the store."""
    (key,) = [key for key in workspace.bucket.keys("store/") if key.endswith(f"/{file}")]
    content = bytearray(workspace.bucket.read(key))
    content[-1] ^= 1
    workspace.bucket.put(key, bytes(content))
