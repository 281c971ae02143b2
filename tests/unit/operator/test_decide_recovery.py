import json
from collections.abc import Callable

import pytest

from finetune_api.failures import Reason
from finetune_api.messages import FailureMessage, GaveWay, TerminationMessage
from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.decide.preparation import MOST_ATTEMPTS
from finetune_operator.manifests.config_map import digest_of_document
from finetune_operator.observed import Reading
from finetune_operator.status_patch import status_patch
from finetune_operator.worker import running_pod
from operator_world import World, message


@pytest.fixture
def running() -> World:
    """The first stage's pod runs."""
    world = World().prepared()
    world.start_pod(world.only)
    world.round()
    return world


def test_a_finished_pod_that_was_collected_unread_makes_prepare_read_the_store(running: World) -> None:
    child = running.succeed()
    running.lose_pods(child)
    running.round()
    assert (running.only.kind, running.only.attempt) == ("prepare", 2)
    running.succeed()
    running.round()
    assert (running.only.kind, running.only.stage) == ("stage", 1)
    assert running.pass_named("tune").state == "Succeeded"
    assert not running.pass_named("tune").cache_hit


def test_a_finished_prepare_pod_that_was_collected_unread_is_asked_again() -> None:
    world = World()
    world.round()
    world.lose_pods(world.succeed())
    world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    assert world.status.prepare.attempt == 2


def test_a_prepare_that_is_deleted_once_it_is_done_has_still_said_what_it_found() -> None:
    world = World()
    world.round()
    child = world.succeed()
    world.jobs[child.name]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    world.round()
    assert world.status.failure is None
    assert world.status.prepare.state == "Succeeded"
    assert world.only.stage == 0


def test_a_stage_whose_outputs_prepare_does_not_find_runs_anew_under_another_name(running: World) -> None:
    child = running.succeed()
    running.lose_pods(child)
    running.round()
    running.committed.clear()
    running.succeed()
    running.round()
    assert (running.only.kind, running.only.stage) == ("stage", 0)
    assert running.only.name != child.name


def test_a_deleted_stage_job_is_made_anew(running: World) -> None:
    child = running.only
    running.lose_job(child)
    running.round()
    assert running.only.name == child.name
    assert running.only.uid != child.uid


def test_while_a_job_is_being_deleted_nothing_is_started(running: World) -> None:
    child = running.only
    running.jobs[child.name]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    decision = running.round()
    assert decision.actions == ()
    assert child.name in running.status.condition("Reconciling").message


def test_while_a_pod_outlives_its_job_nothing_is_started(running: World) -> None:
    (pod,) = [name for name, wire in running.pods.items() if wire["status"]["phase"] == "Running"]
    del running.jobs[running.only.name]
    decision = running.round()
    assert decision.actions == ()
    assert pod in running.status.condition("Reconciling").message
    del running.pods[pod]
    running.round()
    assert running.only.stage == 0


def test_a_deleted_pod_is_left_to_the_job_controller(running: World) -> None:
    running.lose_pods(running.only)
    assert running.round().actions == ()


def test_an_operator_killed_before_it_wrote_the_status_repeats_nothing() -> None:
    world = World()
    before = world.status
    world.round()
    world.status = before
    world.round()
    assert len(world.created) == 1
    assert world.status.phase == "Preparing"


@pytest.mark.parametrize("gone", [World.lose_pods, World.lose_job])
def test_prepare_is_not_asked_again_beside_a_stage_that_was_started_on_its_word(gone: Callable) -> None:
    world = World()
    world.round()
    prepare, before = world.succeed(), world.status
    world.round()
    stage = world.only
    world.status = before
    gone(world, prepare)
    world.rounds(2)
    assert world.live == [stage]
    world.succeed()
    world.round()
    assert world.pass_named("tune").state == "Succeeded"
    while not world.status.terminal:
        world.succeed()
        world.round()
    assert world.status.phase == "Complete"


def test_an_operator_killed_after_creating_a_stage_job_finds_it(running: World) -> None:
    name = running.only.name
    child = running.succeed()
    status_before = running.status
    running.round()
    running.status = status_before
    running.round()
    assert running.created.count(name) == 1
    assert [c.stage for c in running.live] == [1]
    assert child.name == running.pass_named("tune").job_name


def test_a_job_whose_whole_life_was_missed_is_read_from_its_pods(running: World) -> None:
    running.succeed()
    running.round()
    running.succeed()
    running.round()
    assert running.status.phase == "Complete"


def test_recovery_that_never_ends_is_a_failure() -> None:
    world = World()
    for _ in range(40):
        world.round()
        if world.status.terminal:
            break
        world.lose_pods(world.succeed())
    assert world.status.failure.reason == "Internal"
    assert len(world.created) == 10


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


def damaged(world: World, path: str = "spec.store.s3") -> None:
    """The second stage's pod ends over the first one's output, which it has taken out of the store's books."""
    world.committed.clear()
    word = FailureMessage(reason=Reason.ARTIFACT_CORRUPT, message="tune's output is damaged", path=path, index=1)
    world.end_pod(world.start_pod(world.only), 50, message("stage", set(), 3, failure=word))


@pytest.fixture
def second_stage(running: World) -> World:
    running.succeed()
    running.round()
    return running


def test_an_earlier_stages_output_that_turns_out_damaged_is_made_anew(second_stage: World) -> None:
    world = second_stage
    damaged(world)
    world.round()
    assert world.status.prepare.attempt == 2
    world.round()
    world.finish_deletions()
    world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    while not world.status.terminal:
        world.succeed()
        world.round()
    assert world.status.holds("Complete")
    assert len([name for name in world.created if "-gpu-0-" in name]) == 2


def test_it_is_made_anew_even_where_the_jobs_retries_are_used_up_by_it(second_stage: World) -> None:
    world = second_stage
    child = world.only
    damaged(world)
    world.end_job(child, "Failed", "BackoffLimitExceeded")
    world.rounds(2)
    assert not world.status.terminal
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)


def test_prepare_starts_only_when_the_stage_that_found_the_damage_is_gone(second_stage: World) -> None:
    world = second_stage
    stage = world.only
    damaged(world)
    world.rounds(2)
    assert [name for name in world.created if "-prepare-2-" in name] == []
    assert "deletionTimestamp" in world.jobs[stage.name]["metadata"]
    world.finish_deletions()
    world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)


def test_a_suspended_job_starts_nothing_over_damage_either(second_stage: World) -> None:
    world = second_stage
    damaged(world)
    world.suspend(suspended=True)
    world.rounds(2)
    assert world.status.prepare.attempt == 1


def test_a_base_that_is_damaged_at_its_source_cannot_be_made_anew(second_stage: World) -> None:
    world = second_stage
    child = world.only
    damaged(world, "spec.inputModel.source")
    world.end_job(child, "Failed", "BackoffLimitExceeded")
    world.round()
    assert world.status.failure.reason == "ArtifactCorrupt"


def test_a_store_that_damages_everything_ends_the_job(running: World) -> None:
    for _ in range(40):
        if running.status.terminal:
            break
        if running.only.kind == "stage" and running.only.stage == 1:
            damaged(running)
            running.end_job(running.only, "Failed", "BackoffLimitExceeded")
        else:
            running.succeed()
        running.rounds(2)
        running.finish_deletions()
    assert running.status.failure.reason == "ArtifactCorrupt"


def give_way(world: World) -> None:
    """The stage's pod finds another job at work on its first pass, and ends."""
    said = TerminationMessage(kind="stage", gave_way=GaveWay(index=0, job="other"))
    child = world.only
    world.end_pod(world.start_pod(child), 0, said.encode())
    world.end_job(child)
    world.round()


def test_after_a_stage_gave_way_to_another_job_prepare_runs_again_and_the_stage_after_it() -> None:
    world = World().prepared()
    give_way(world)
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    assert "job other makes the same pass" in world.status.condition("Reconciling").message
    world.succeed()
    world.round()
    assert (world.only.kind, world.only.stage, world.only.attempt) == ("stage", 0, 2)


def test_a_job_may_give_way_more_often_than_it_may_lose_something() -> None:
    world = World().prepared()
    for _ in range(MOST_ATTEMPTS + 1):
        give_way(world)
        world.succeed()
        world.round()
    assert not world.status.terminal
    assert world.status.prepare.gave_way == MOST_ATTEMPTS + 1
    world.lose_pods(world.succeed())
    world.round()
    assert world.only.kind == "prepare"


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


def test_what_a_prepare_pod_waits_for_is_told_as_long_as_it_waits() -> None:
    world = World()
    world.round()
    pod = world.start_pod(world.only)
    world.round()
    assert world.status.phase == "Preparing"
    assert running_pod(world.observe()).name == pod
    said = TerminationMessage(kind="prepare", gave_way=GaveWay(index=0, job="other"))
    world.readings = (Reading(f"uid-of-{pod}", outcome=said),)
    world.round()
    assert world.status.phase == "Waiting"
    assert world.status.waiting.reason == "WaitingForJob"
    assert world.chapters[-1].note == "job other makes pass tune, which this job needs too"
    world.later(10**6)
    world.round()
    assert not world.status.terminal


def test_a_prepare_after_one_that_has_used_the_store_is_told_so() -> None:
    world = World().prepared()
    first, _ = world.created
    world.end_job(world.only)
    world.round()
    assert [is_told(world, name) for name in (first, world.only.name)] == [False, True]


def test_one_after_a_prepare_that_was_never_heard_of_is_not() -> None:
    world = World()
    world.round()
    world.end_job(world.only)
    world.round()
    assert (world.only.attempt, is_told(world, world.only.name)) == (2, False)


def is_told(world: World, name: str) -> bool:
    [container] = world.jobs[name]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["finetune-runner", "prepare"]
    return "FINETUNE_AGAIN" in {variable["name"] for variable in container["env"]}
