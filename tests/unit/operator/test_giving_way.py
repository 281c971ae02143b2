"""A pass that another job is at work on is waited for, by prepare."""

from finetune_api.messages import GaveWay, TerminationMessage
from finetune_operator.decide.preparation import MOST_ATTEMPTS
from finetune_operator.observed import Reading
from finetune_operator.worker import running_pod
from operator_world import World


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
