"""What was lost, of pods, Jobs or the operator's own work, is found again or asked for anew."""

from collections.abc import Callable

import pytest

from operator_world import World


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
