from api_specs import wire_spec
from operator_world import World


def test_a_job_created_suspended_is_accepted_and_starts_nothing() -> None:
    world = World(spec=wire_spec(suspend=True)).rounds(3)
    assert world.status.holds("Accepted")
    assert world.status.holds("Suspended")
    assert world.status.phase == "Suspended"
    assert world.created == []
    assert not world.status.holds("Reconciling")


def test_suspending_deletes_the_live_job_and_holds_once_it_is_gone() -> None:
    world = World().prepared()
    world.start_pod(world.only)
    world.suspend(True)
    world.round()
    assert world.live == []
    assert not world.status.holds("Suspended")
    assert world.status.condition("Suspended").reason == "Suspending"
    world.finish_deletions()
    world.round()
    assert world.status.holds("Suspended")
    assert [step.state for step in world.status.passes] == ["Pending", "Pending", "Pending"]


def test_resuming_makes_the_stage_anew_and_the_job_completes() -> None:
    world = World().prepared()
    stage = world.only
    world.suspend(True)
    world.round()
    world.finish_deletions()
    world.round()
    world.suspend(False)
    world.round()
    assert world.only.name == stage.name
    assert not world.status.holds("Suspended")
    assert world.status.phase == "Running"
    while not world.status.terminal:
        world.succeed()
        world.round()
    assert world.status.phase == "Complete"


def test_resuming_while_the_old_job_still_ends_waits_for_it() -> None:
    world = World().prepared()
    world.suspend(True)
    world.round()
    world.suspend(False)
    world.round()
    assert len(world.created) == 2
    world.finish_deletions()
    world.round()
    assert len(world.created) == 3


def test_what_was_committed_before_suspension_is_kept() -> None:
    world = World().prepared()
    world.succeed()
    world.suspend(True)
    world.round()
    assert world.status.phase == "Suspended"
    assert world.pass_named("tune").state == "Succeeded"
    world.suspend(False)
    world.round()
    assert world.only.stage == 1


def test_a_job_that_is_done_completes_though_it_is_suspended() -> None:
    world = World().prepared()
    world.succeed()
    world.round()
    world.succeed()
    world.suspend(True)
    world.round()
    assert world.status.phase == "Complete"
