"""An output of an earlier stage that turns out damaged is made anew, as often as that may help."""

import pytest

from finetune_api.failures import Reason
from finetune_api.messages import FailureMessage
from operator_world import World
from runner_words import message


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
