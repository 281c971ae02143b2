"""Nothing is Complete before its gates are known to have passed; a missed one ends the job and is told everywhere."""

from typing import Any

from api_specs import wire_pass
from finetune_api.failures import Reason
from gated_specs import gated_spec
from operator_world import World
from runner_words import failure, message

GATES = (
    {"metric": "accuracy", "after": "int4", "min": "0.85"},
    {"metric": "accuracy", "after": "int4", "maxDrop": "0.02", "comparedTo": "tune"},
)
MISSED = failure(Reason.GATE_FAILED, "accuracy after int4 is 0.8, 0.05 below the 0.85 that it must be at least")
ALL = {0, 1, 2, 3, 4}


def gated(**fields: Any) -> World:
    return World(spec=gated_spec(*GATES), **fields)


def missed(kind: str) -> str:
    return message(kind, ALL, len(ALL), failure=MISSED, gates=[True, False])


def after_the_last_stage(last_word: str, exit_code: int) -> World:
    world = gated().prepared()
    world.succeed()
    world.round()
    world.fail_job(exit_code, last_word)
    world.round()
    return world


def events(world: World) -> dict[str, tuple[str, str]]:
    return {c.reason: (c.kind, c.note) for c in world.chapters}


def test_gates_that_have_passed_stand_in_status_condition_and_events() -> None:
    world = gated().completed()

    assert [gate.to_wire() for gate in world.status.gates] == [
        {"metric": "accuracy", "after": "int4", "requirement": "at least 0.85", "value": "0.9000", "passed": True},
        {"metric": "accuracy", "after": "int4", "requirement": "at most 0.02 worse than tune", "value": "0.9000"}
        | {"passed": True},
    ]
    condition = world.status.condition("GatesPassed")
    assert (condition.status, condition.reason) == ("True", "Passed")
    assert condition.message == (
        "2 of 2 gates have passed: accuracy after int4 0.9000 (at least 0.85);"
        " accuracy after int4 0.9000 (at most 0.02 worse than tune)"
    )
    assert events(world)["GatesPassed"] == ("Normal", condition.message)
    assert world.status.phase == "Complete"


def test_a_missed_gate_fails_the_job_with_all_passes_kept_and_nothing_published() -> None:
    world = after_the_last_stage(missed("stage"), 21)

    assert world.status.phase == "Failed"
    told = world.status.failure
    assert (told.reason, told.pass_, told.exit_code, told.message) == ("GateFailed", "", 21, MISSED.message)
    assert [step.state for step in world.status.passes] == ["Succeeded"] * 5
    assert world.status.artifacts == []
    assert [gate.passed for gate in world.status.gates] == [True, False]


def test_a_missed_gate_is_told_in_condition_and_events() -> None:
    world = after_the_last_stage(missed("stage"), 21)

    condition = world.status.condition("GatesPassed")
    assert (condition.status, condition.reason) == ("False", "Missed")
    assert condition.message.startswith(
        "1 of 2 gates have passed, nothing is published, and every output is kept in the store: accuracy after int4"
    )
    assert events(world)["GatesMissed"] == ("Warning", condition.message)
    assert [reason for reason in events(world) if reason in ("GatesMissed", "Published", "Failed")] == [
        "GatesMissed",
        "Failed",
    ]


def test_prepare_that_finds_everything_cached_and_a_gate_missed_starts_no_stage() -> None:
    world = gated()
    world.round()
    world.fail_job(21, missed("prepare"))
    world.round()

    assert (world.status.phase, world.status.failure.reason) == ("Failed", "GateFailed")
    assert [(step.state, step.cache_hit) for step in world.status.passes] == [("Succeeded", True)] * 5
    assert world.status.prepare.state == "Succeeded"
    assert [gate.passed for gate in world.status.gates] == [True, False]
    assert world.stage_jobs() == []


def test_a_last_word_that_says_nothing_of_the_gates_is_asked_for_again() -> None:
    world = gated().prepared()
    world.succeed()
    world.round()
    child = world.only
    world.end_pod(world.start_pod(child), 0, message("stage", ALL, len(ALL), published=True))
    world.end_job(child)
    world.round()

    assert world.status.phase != "Complete"
    assert (world.status.prepare.attempt, world.only.kind) == (2, "prepare")

    world.committed = set(ALL)
    world.succeed()
    world.round()

    assert world.status.phase == "Complete"
    assert [gate.passed for gate in world.status.gates] == [True, True]


def test_a_missed_candidate_does_not_keep_the_next_from_completing_the_job() -> None:
    spec = gated_spec({**GATES[0], "after": "int4"}, {**GATES[0], "after": "tune"}, candidates=["int4", "tune"])
    world = World(spec=spec).prepared()
    world.succeed()
    world.round()
    child = world.only
    last_word = message("stage", ALL, len(ALL), published=True, gates=[False, True])
    world.end_pod(world.start_pod(child), 0, last_word)
    world.end_job(child)
    world.round()

    assert world.status.phase == "Complete"
    condition = world.status.condition("GatesPassed")
    assert (condition.status, condition.reason) == ("True", "Passed")
    assert condition.message.startswith("1 of 2 gates have passed, all that decide on tune: accuracy after int4")


def two_exports() -> World:
    """After prepare: int4 on one system, and mixed, to be made where that misses its gate, on another."""
    gates = [{**GATES[0], "after": "int4"}, {**GATES[0], "after": "mixed"}]
    spec = gated_spec(*gates, candidates=["int4", "mixed"])
    spec["systems"].append({"name": "other"})
    spec["passes"].append(wire_pass("mixed", "other", "build", input="merge"))
    spec["passes"].append(wire_pass("mixed-check", "other", "evaluate"))
    world = World(spec=spec).prepared()
    world.succeed()
    world.round()
    return world


def test_a_candidate_that_passes_its_gates_keeps_the_next_from_being_made() -> None:
    world = two_exports()
    child = world.only
    last_word = message("stage", ALL, len(ALL) + 2, published=True, gates=[True, None])
    world.end_pod(world.start_pod(child), 0, last_word)
    world.end_job(child)
    world.round()

    assert world.status.phase == "Complete"
    assert [step.state for step in world.status.passes] == ["Succeeded"] * 5 + ["Skipped"] * 2
    assert [gate.to_wire().get("passed") for gate in world.status.gates] == [True, None]
    assert len(world.stage_jobs()) == 2
    condition = world.status.condition("GatesPassed")
    assert condition.message.startswith("1 of 1 gates have passed, all that decide on int4: accuracy after int4")
    assert world.status.progress.pass_ == "check"


def test_the_next_candidate_is_made_where_the_first_misses_its_gate() -> None:
    world = two_exports()
    child = world.only
    world.end_pod(world.start_pod(child), 0, message("stage", ALL, len(ALL) + 2))
    world.end_job(child)
    world.round()

    assert [step.state for step in world.status.passes[-2:]] == ["Running", "Pending"]
    assert world.status.condition("GatesPassed") is None
    assert len(world.stage_jobs()) == 3


def test_passes_that_were_skipped_are_made_where_the_store_has_lost_what_made_them_needless() -> None:
    """Prepare says so, and what was known of the gates no longer counts."""
    world = two_exports()
    child = world.only
    last_word = message("stage", ALL, len(ALL) + 2, gates=[True, None])
    world.end_pod(world.start_pod(child), 0, last_word)
    world.end_job(child)
    world.round()
    assert (world.only.kind, world.status.passes[-1].state) == ("prepare", "Skipped")

    world.committed = {0, 1, 2}
    world.succeed()
    world.round()

    assert [step.state for step in world.status.passes[3:]] == ["Running", "Pending", "Pending", "Pending"]


def test_a_job_without_gates_says_nothing_of_them() -> None:
    world = World().completed()
    assert world.status.gates == []
    assert world.status.condition("GatesPassed") is None
