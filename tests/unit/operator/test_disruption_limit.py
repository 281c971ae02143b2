"""Disruptions that bring no new checkpoint end a job after a number of them; others don't, however often they come."""

import pytest

from api_specs import wire_spec
from disrupted_world import EVICTED, LIMIT, count, disrupt, disrupted, end, prepared, start
from finetune_api.failures import EXIT_CODES, Reason
from finetune_api.messages import GaveWay, TerminationMessage
from finetune_operator.observed import Reading
from operator_world import World
from runner_words import failure, message


def test_more_disruptions_in_a_row_than_the_limit_without_a_checkpoint_end_the_job_and_say_how_many_and_where() -> None:
    world = prepared()
    for times in range(1, LIMIT + 1):
        disrupted(world)
        assert (count(world), world.status.terminal) == (times, False)
    disrupted(world)
    told = world.status.failure
    assert (told.reason, told.pass_, told.path) == ("Evicted", "tune", "spec.disruptionLimit")
    assert told.message == (
        f"disrupted 3 times in a row (the last time: {EVICTED}), each time before its first checkpoint"
    )
    assert "saveSeconds" in told.remedy
    assert "terminationGracePeriodSeconds" in told.remedy
    assert world.live == []


def test_pods_that_make_room_for_others_of_higher_priority_are_preempted() -> None:
    world = prepared()
    for _ in range(LIMIT + 1):
        disrupted(world, reason="PreemptionByScheduler")
    assert world.status.failure.reason == "Preempted"
    assert "higher priorityClassName" in world.status.failure.remedy


def test_disruptions_that_each_bring_a_new_checkpoint_never_end_a_job() -> None:
    world = prepared()
    for step in range(1, 10):
        disrupted(world, step)
        assert (count(world), world.status.disruptions.checkpoint_step) == (0, step)


def test_the_same_checkpoint_again_is_no_new_one_and_the_failure_says_of_which_step_it_is() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        disrupted(world, 40)
    assert world.status.failure.message.endswith("each time before a newer checkpoint than that of step 40")


def test_the_pod_that_would_be_one_too_many_has_its_time_to_keep_a_checkpoint() -> None:
    world = prepared()
    for _ in range(LIMIT):
        disrupted(world)
    pod = start(world)
    disrupt(world, pod)
    world.rounds(2)
    assert (count(world), world.status.terminal) == (LIMIT + 1, False)
    end(world, pod, 7)
    world.rounds(2)
    assert (count(world), world.status.terminal) == (0, False)


def test_a_pass_that_keeps_no_checkpoints_is_given_up_too_and_advised_otherwise() -> None:
    world = prepared()
    world.succeed()
    world.round()
    for _ in range(LIMIT + 1):
        disrupted(world, reason="PreemptionByScheduler")
    told = world.status.failure
    assert told.pass_ == "merge"
    assert told.message.endswith(
        "(the last time: PreemptionByScheduler), and begun anew each time: it keeps no checkpoints"
    )
    assert told.remedy.startswith("give the system a higher priorityClassName")
    assert "saveSeconds" not in told.remedy


@pytest.mark.parametrize("permanent", [True, False])
def test_a_disrupted_pod_that_comes_to_an_end_of_its_own_is_told_by_that(permanent: bool) -> None:
    world = prepared(disruptionLimit=0)
    child = world.only
    pod = start(world)
    disrupt(world, pod)
    world.round()
    conditions = world.pods[pod]["status"]["conditions"]
    if permanent:
        word = message("stage", set(), 3, failure=failure(Reason.NAN_LOSS))
        world.end_pod(pod, EXIT_CODES[Reason.NAN_LOSS], word, conditions=conditions)
    else:
        world.committed = {0}
        world.end_pod(pod, 0, world.report("stage"), conditions=conditions)
    world.rounds(2)
    assert not world.status.terminal
    world.end_job(child, "Failed" if permanent else "Complete", "PodFailurePolicy" if permanent else "")
    world.round()
    assert (world.status.failure.reason if permanent else world.pass_named("tune").state) in ("NaNLoss", "Succeeded")


def test_prepare_is_given_up_too() -> None:
    world = World(spec=wire_spec(disruptionLimit=0))
    world.round()
    disrupted(world)
    assert (world.status.failure.pass_, world.status.failure.reason) == ("prepare", "Evicted")
    assert world.status.prepare.state == "Failed"


def test_prepare_that_waits_for_another_job_loses_nothing() -> None:
    world = World(spec=wire_spec(disruptionLimit=0))
    world.round()
    waits = TerminationMessage(kind="prepare", gave_way=GaveWay(index=0, job="other"))
    for _ in range(3):
        pod = start(world)
        world.readings = (Reading(world.pods[pod]["metadata"]["uid"], outcome=waits),)
        world.round()
        assert world.status.waiting.reason == "WaitingForJob"
        disrupt(world, pod)
        world.round()
        assert count(world) == 0
        del world.pods[pod]
    assert not world.status.terminal
