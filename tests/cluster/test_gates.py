"""A gate decides what is published: missed, nothing is; changed under another name, it is judged from the store."""

from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_workspace import PREPARE_SECONDS, Workspace

Json = dict[str, Any]
CHAIN = [manifests.lora(), manifests.merge(), manifests.int4(), manifests.check()]


def gate(most: str) -> Json:
    return {"metric": "loss", "after": "int4", "max": most}


def spec(workspace: Workspace, name: str, most: str) -> Json:
    return workspace.spec(name, CHAIN) | {"gates": [gate(most)]}


@pytest.fixture(scope="module")
def missed(workspace: Workspace) -> Json:
    """A job whose loss no model of random weights has."""
    workspace.apply("strict", spec(workspace, "strict", "0.001"))
    workspace.failed("strict")
    return workspace.get("ftj", "strict")["status"]


@pytest.fixture(scope="module")
def passed(workspace: Workspace, missed: Json) -> Json:
    workspace.apply("lenient", spec(workspace, "lenient", "100"))
    return workspace.completed("lenient", PREPARE_SECONDS)


def test_a_missed_gate_fails_the_job_and_says_by_how_much(missed: Json) -> None:
    failure = missed["failure"]
    assert (failure["reason"], failure["exitCode"], failure["path"]) == ("GateFailed", 21, "spec.gates[0]")
    assert failure["message"].startswith("loss after int4 is ")
    assert failure["message"].endswith("above the 0.001 that it may be at most")
    assert failure["remedy"]


def test_a_missed_gate_publishes_nothing_and_keeps_every_output(missed: Json, workspace: Workspace) -> None:
    assert "artifacts" not in missed
    assert workspace.bucket.keys("published/strict/") == []
    assert [step["state"] for step in missed["passes"]] == ["Succeeded"] * 4


def test_a_missed_gate_stands_in_status_and_events(missed: Json, workspace: Workspace) -> None:
    (told,) = missed["gates"]
    assert (told["requirement"], told["passed"]) == ("at most 0.001", False)
    assert float(told["value"]) > 0.001
    condition = next(c for c in missed["conditions"] if c["type"] == "GatesPassed")
    assert (condition["status"], condition["reason"]) == ("False", "Missed")
    assert "GatesMissed" in workspace.kubectl("describe", "ftj", "strict").partition("\nEvents:")[2]


def test_a_bound_within_reach_publishes_from_the_store_without_a_stage(passed: Json, workspace: Workspace) -> None:
    assert workspace.stage_jobs("lenient") == []
    assert [step["cacheHit"] for step in passed["passes"]] == [True] * 4
    assert [told["passed"] for told in passed["gates"]] == [True]
    assert "published/lenient/manifest.json" in workspace.bucket.keys("published/lenient/")


def test_where_a_candidate_misses_its_gate_the_next_is_published(missed: Json, workspace: Workspace) -> None:
    assert missed["phase"] == "Failed"
    workspace.apply("tolerant", spec(workspace, "tolerant", "0.001") | {"candidates": ["int4", "merge"]})
    status = workspace.completed("tolerant", PREPARE_SECONDS)
    (artifact,) = status["artifacts"]
    assert (artifact["pass"], artifact["format"]) == ("merge", "safetensors")
    assert [told["passed"] for told in status["gates"]] == [False]
    assert workspace.stage_jobs("tolerant") == []


def test_a_gate_on_what_nothing_measures_is_named_before_any_pod(workspace: Workspace) -> None:
    wrong = workspace.spec("unmeasured", CHAIN) | {"gates": [{**gate("1"), "after": "merge"}]}
    workspace.apply("unmeasured", wrong)
    failure = workspace.failed("unmeasured", PREPARE_SECONDS)
    assert (failure["reason"], failure["path"]) == ("InvalidSpec", "spec.gates[0].after")
    assert "input: merge" in failure["remedy"]
    assert workspace.jobs("unmeasured") == []


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"min": "1", "max": "2"}, "set exactly one of min, max, maxDrop"),
        ({"maxDrop": "1"}, "comparedTo belongs to maxDrop"),
        ({"max": 1}, "spec.gates[0].max"),
        ({"max": "much"}, "spec.gates[0].max"),
    ],
)
def test_what_is_no_gate_is_refused_at_apply(workspace: Workspace, bounds: Json, says: str) -> None:
    wrong = workspace.spec("no-gate", CHAIN) | {"gates": [{"metric": "loss", "after": "int4", **bounds}]}
    assert says in workspace.try_apply("no-gate", wrong)
