"""Prepare, then stage after stage, none for what is committed already."""

from finetune_api.messages import Headline, TerminationMessage
from finetune_api.resource.status import PassState
from operator_world import World, labels_of, states
from runner_words import message

S, P, R = PassState.SUCCEEDED, PassState.PENDING, PassState.RUNNING


def test_a_job_runs_prepare_then_each_stage_then_is_complete() -> None:
    world = World().completed()
    assert [labels_of(world.jobs[name]) for name in world.created] == [
        ("prepare", "1", None),
        ("stage", "1", "0"),
        ("stage", "1", "1"),
    ]
    assert world.status.phase == "Complete"
    assert states(world) == [S, S, S]


def test_figures_that_a_later_message_has_no_room_for_stay() -> None:
    world = World().prepared()
    said = TerminationMessage.decode(message("stage", {0}, 3))
    for names in (["loss", "tokens"], ["loss"]):
        figures = [Headline(index=0, name=name, value="0.5") for name in names]
        world.end_pod(world.start_pod(world.only), 143, said.model_copy(update={"headlines": figures}).encode())
        world.round()
    assert [figure.name for figure in world.pass_named("tune").metrics] == ["loss", "tokens"]


def test_a_complete_job_shows_all_of_its_progress_and_has_stopped_reconciling() -> None:
    world = World().completed()
    assert world.status.progress.percent == 100
    assert world.status.current_pass == ""
    assert not world.status.holds("Reconciling")
    assert world.status.completion_time


def test_while_prepare_runs_no_stage_has_a_job() -> None:
    world = World().rounds(3)
    assert [child.kind for child in world.live] == ["prepare"]
    assert states(world) == [P, P, P]


def test_the_second_stage_waits_for_the_first() -> None:
    world = World().prepared()
    world.start_pod(world.only)
    world.rounds(3)
    assert [child.stage for child in world.live] == [0]
    assert world.status.current_pass == "tune"
    assert states(world) == [R, P, P]


def test_consecutive_passes_on_one_system_share_a_job() -> None:
    world = World().prepared()
    world.succeed()
    world.round()
    assert world.pass_named("merge").job_name == world.pass_named("int4").job_name == world.only.name


def test_when_everything_is_cached_no_stage_gets_a_job_and_the_job_is_complete() -> None:
    world = World(committed={0, 1, 2})
    world.round()
    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert world.stage_jobs() == []
    assert [step.cache_hit for step in world.status.passes] == [True, True, True]


def test_a_stage_whose_passes_are_all_cached_gets_no_job() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    assert [child.stage for child in world.live] == [1]
    assert world.pass_named("tune").cache_hit


def test_a_pass_committed_before_its_pod_failed_counts_while_the_job_retries() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    world.committed.add(1)
    world.end_pod(world.start_pod(world.only), 51, world.report("stage"))
    world.start_pod(world.only)
    world.round()
    assert states(world) == [S, S, R]
    assert world.pass_named("int4").attempts == 2


def test_nothing_changes_when_nothing_happens() -> None:
    world = World().prepared()
    world.start_pod(world.only)
    world.round()
    before = world.status
    world.later(600)
    decision = world.round()
    assert decision.actions == ()
    assert world.status == before
