"""Retention: what a finished job leaves behind, and for how long."""

from api_specs import wire_spec
from finetune_api.failures import Reason
from operator_world import World
from runner_words import failure, message

HOUR = 3600


def finished(**ttl: int) -> World:
    return World(spec=wire_spec(ttlSecondsAfterFinished=ttl)).completed()


def failed(**ttl: int) -> World:
    world = World(spec=wire_spec(ttlSecondsAfterFinished=ttl))
    world.round()
    world.fail_job(13, message("prepare", set(), 3, failure=failure(Reason.DATASET_INVALID, "no rows")))
    world.round()
    return world


def test_the_jobs_of_a_finished_job_stay_where_nothing_else_is_said() -> None:
    world = finished()
    world.later(365 * 24 * HOUR)
    assert world.round().actions == ()
    assert world.decide().requeue_seconds is None


def test_they_go_when_their_time_is_over_and_the_job_is_what_it_was() -> None:
    world = finished(succeeded=HOUR)
    before, jobs = world.status, len(world.jobs)
    world.later(HOUR - 1)
    decision = world.round()
    assert (decision.actions, decision.requeue_seconds) == ((), 1)
    world.later(1)
    assert len(world.round().actions) == jobs
    world.finish_deletions()
    world.rounds(3)
    assert (world.jobs, world.status) == ({}, before)


def test_a_failed_job_keeps_its_own_time() -> None:
    world = failed(succeeded=0, failed=2 * HOUR)
    world.later(HOUR)
    assert world.round().actions == ()
    world.later(HOUR)
    assert len(world.round().actions) == 1


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    world = finished(succeeded=0)
    assert world.round().actions != ()
    assert world.round().actions == ()


def test_the_round_in_which_a_job_ends_asks_to_look_again_when_their_time_is_over() -> None:
    world = World(spec=wire_spec(ttlSecondsAfterFinished={"succeeded": HOUR})).prepared()
    while True:
        world.succeed()
        decision = world.round()
        if world.status.terminal:
            break
    assert decision.requeue_seconds == HOUR
