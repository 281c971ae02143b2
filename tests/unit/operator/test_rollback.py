"""After a rollback: what a newer operator has written, and this one does not know."""

import json
from typing import Any

import pytest

from finetune_api.failures import Reason
from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.manifests.config_map import digest_of_document
from finetune_operator.status_patch import status_patch
from operator_world import World
from runner_words import failure, message

Json = dict[str, Any]
COMPLETE = {"type": "Complete", "status": "True", "reason": "Done", "lastTransitionTime": "2026-11-24T12:00:00Z"}


def finished() -> World:
    world = World().prepared()
    world.fail_job(13, message("stage", set(), 3, failure=failure(Reason.DATASET_INVALID)))
    world.round()
    return world


def changed(world: World, **parts: Any) -> Json:
    """The status as a newer operator has left it."""
    world.store(world.stored | parts)
    return world.stored


def with_state(world: World, state: str) -> list[Json]:
    """The passes, of which the first is in a state."""
    first, *others = world.stored["passes"]
    return [first | {"state": state}, *others]


def test_a_phase_that_is_not_known_holds_no_job_up(running: World) -> None:
    changed(running, phase="Dreaming")
    running.round()
    assert running.status.phase == "Running"
    while not running.status.terminal:
        running.succeed()
        running.round()
    assert running.status.holds("Complete")


@pytest.mark.parametrize(
    "parts",
    [
        {"phase": "Abandoned"},
        {"failure": {"reason": "Abandoned", "message": "nobody wants it"}},
        {"prepare": {"attempt": 1, "state": "Abandoned"}},
        {"passes": [{"name": "tune", "state": "Abandoned"}]},
        {"phase": "Abandoned", "passes": [{"name": "tune", "state": "Abandoned"}], "startTime": "x" * 41},
        {"conditions": [COMPLETE, COMPLETE | {"type": "Abandoned", "status": "Perhaps"}]},
    ],
    ids="-".join,
)
def test_a_finished_job_stays_as_it_is_whatever_is_not_known(parts: Json) -> None:
    world = finished()
    before = changed(world, **parts)
    world.jobs.clear()
    world.pods.clear()
    world.config_map = None
    world.suspend(True)
    assert world.round().actions == ()
    assert world.stored == before | {"observedGeneration": 2}


def test_a_job_under_way_of_which_not_all_is_known_is_told_and_left_alone(running: World) -> None:
    before = changed(running, passes=with_state(running, "Paused"))
    running.succeed()
    assert running.round().actions == ()
    told = running.status.condition("Reconciling")
    assert (told.status, told.reason) == ("True", "Unreadable")
    assert "status.passes[0].state: 'Paused' is unknown" in told.message
    assert "install that version again" in told.message
    assert running.stored == before | {"conditions": running.stored["conditions"]}
    written = running.stored
    running.round()
    assert running.stored == written


def test_a_condition_that_can_not_be_read_stays_and_is_told_beside_it(running: World) -> None:
    unknown = COMPLETE | {"type": "Abandoned", "status": "Perhaps"}
    changed(running, conditions=[*running.stored["conditions"], unknown])
    running.succeed()
    assert running.round().actions == ()
    assert "'Perhaps' is unknown" in running.status.condition("Reconciling").message
    assert running.stored["conditions"][-1] == unknown
    assert {condition["type"] for condition in running.stored["conditions"]} == {"Accepted", "Reconciling", "Abandoned"}
    written = running.stored
    running.round()
    assert running.stored == written


def test_a_job_that_has_ended_in_a_way_that_is_not_known_is_not_started_again(running: World) -> None:
    ended = [*running.stored["conditions"], COMPLETE | {"type": "Abandoned"}]
    changed(running, phase="Abandoned", completionTime=COMPLETE["lastTransitionTime"], conditions=ended)
    running.jobs.clear()
    running.pods.clear()
    assert running.round().actions == ()
    assert (running.status.phase, running.status.condition("Reconciling").reason) == ("Abandoned", "Unreadable")


def test_it_goes_on_once_a_version_is_back_that_knows_it(running: World) -> None:
    changed(running, passes=with_state(running, "Paused"))
    running.succeed()
    running.round()
    changed(running, passes=with_state(running, "Running"))
    running.round()
    assert running.pass_named("tune").state == "Succeeded"
    assert running.status.condition("Reconciling").reason == "Running"


def test_a_job_that_another_version_of_the_operator_accepted_is_told_and_left_alone(running: World) -> None:
    document = json.loads(running.config_map["data"]["job.json"])
    document["spec"]["newfangled"] = True
    running.config_map["data"]["job.json"] = json.dumps(document)
    digest = digest_of_document(running.config_map)
    before = running.status = running.status.model_copy(update={"document_digest": digest})
    assert running.round().actions == ()
    told = running.status.condition("Reconciling")
    assert (told.status, told.reason, "spec.newfangled" in told.message) == ("True", "Unreadable", True)
    assert (running.status.phase, running.status.passes) == (before.phase, before.passes)


def test_what_a_newer_operator_wrote_into_status_neither_stops_a_rolled_back_one_nor_is_lost(running: World) -> None:
    wire = running.status.to_wire()
    wire |= {"region": {"zones": ["a"]}, "progress": {"pass": "tune", "watts": 300}}
    wire["passes"][0]["node"] = "gpu-1"
    wire["conditions"][0]["severity"] = "None"
    running.status = FineTuneJobStatus.from_wire(wire)
    running.succeed()
    running.round()
    written = status_patch(running.observe(), running.status)["status"]
    assert written["region"] == {"zones": ["a"]}
    assert (written["passes"][0]["node"], written["passes"][0]["state"]) == ("gpu-1", "Succeeded")
