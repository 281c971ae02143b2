"""Each disruption is counted, once, until there is a new checkpoint; what is none is not."""

import pytest

from api_specs import wire_pass, wire_spec
from disrupted_world import EVICTED, LIMIT, count, disrupt, disrupted, end, prepared, shows, start
from finetune_operator.conditions import timestamp
from finetune_operator.kube import Refused
from finetune_operator.worker import held_up
from operator_world import World


def test_a_checkpoint_in_between_begins_the_count_anew() -> None:
    world = prepared()
    for step in (None, None, 40, None, None):
        disrupted(world, step)
    assert (count(world), world.status.terminal) == (2, False)


def test_a_pod_that_vanishes_without_a_word_counts() -> None:
    world = prepared()
    for _ in range(LIMIT + 1):
        pod = start(world)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
        world.round()
    assert world.status.failure.reason == "Evicted"


def test_a_checkpoint_that_a_pod_has_shown_counts_though_the_pod_ends_without_a_word() -> None:
    world = prepared()
    for step in range(1, LIMIT + 3):
        pod = start(world)
        shows(world, pod, checkpointStep=step)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
        world.readings = ()
        world.round()
    assert (count(world), world.status.terminal) == (0, False)


def test_what_the_next_pod_goes_on_from_counts_where_the_last_word_was_lost() -> None:
    world = prepared()
    for _ in range(LIMIT):
        pod = start(world)
        disrupt(world, pod)
        world.round()
        del world.pods[pod]
    shows(world, start(world), resumedFromStep=12)
    assert (count(world), world.status.disruptions.checkpoint_step) == (0, 12)


def test_a_checkpoint_of_an_earlier_job_that_a_pod_went_on_from_is_no_new_one() -> None:
    world = prepared()
    pod = start(world)
    shows(world, pod, checkpointStep=40, resumedFromStep=40)
    disrupt(world, pod)
    world.round()
    assert (count(world), world.status.disruptions.checkpoint_step) == (1, 40)


def test_a_disrupted_pod_is_counted_once_however_often_it_is_seen_and_by_whom() -> None:
    world = prepared()
    pod = start(world)
    disrupt(world, pod)
    before = world.status
    first = world.decide().status
    assert world.decide().status == first, "two operators that see the same count the same"
    world.rounds(5)
    end(world, pod)
    world.rounds(5)
    assert before.disruptions is None
    assert count(world) == 1


def test_what_came_and_went_while_nobody_looked_is_not_counted_and_what_is_still_there_is() -> None:
    world = prepared()
    child, pods = world.only, []
    for _ in range(LIMIT + 1):
        world.later(30)
        pods.append(pod := world.start_pod(child))
        world.pods[pod]["metadata"]["creationTimestamp"] = timestamp(world.now)
        disrupt(world, pod)
        end(world, pod)
    del world.pods[pods[0]]
    world.rounds(2)
    assert (count(world), world.status.terminal) == (LIMIT, False)


def test_a_count_holds_though_a_child_cannot_be_made() -> None:
    world = prepared()
    disrupt(world, start(world))
    seen = world.observe()
    after = held_up(seen, world.decide(), Refused(403, "Forbidden", "no quota")).status
    assert after.disruptions.count == 1


def test_failures_that_backoff_limit_counts_are_no_disruptions() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        pod = start(world)
        world.pods[pod]["status"]["conditions"] = []
        end(world, pod)
        world.round()
    assert world.status.disruptions is None


def test_a_committed_pass_begins_the_count_anew_and_old_pods_are_not_counted_for_the_next() -> None:
    two = [wire_pass("tune", "gpu", "lora"), wire_pass("again", "gpu", "lora", input="base")]
    world = World(spec=wire_spec(disruptionLimit=LIMIT) | {"passes": two}).prepared()
    for _ in range(LIMIT):
        pod = start(world)
        disrupt(world, pod)
        end(world, pod)
        world.round()
    assert count(world) == LIMIT
    world.committed.add(0)
    pod = start(world)
    disrupt(world, pod)
    end(world, pod, index=1)
    world.round()
    assert not world.status.terminal
    world.rounds(2)
    assert count(world) <= 1


@pytest.mark.parametrize("seen", [True, False])
def test_suspending_counts_nothing_and_begins_the_count_anew(seen: bool) -> None:
    world = prepared()
    for _ in range(LIMIT):
        disrupted(world)
    pod = start(world)
    world.suspend(True)
    if seen:
        world.round()
    disrupt(world, pod)
    world.rounds(2)
    end(world, pod)
    world.round()
    world.finish_deletions()
    world.rounds(2)
    assert (world.status.phase, count(world)) == ("Suspended", 0)
    world.suspend(False)
    world.rounds(2)
    disrupted(world)
    assert (count(world), world.status.terminal) == (1, False)


def test_a_pod_that_goes_since_kueue_has_suspended_its_job_is_not_disrupted_whatever_else_befalls_it() -> None:
    world = prepared()
    for _ in range(LIMIT + 2):
        child = world.only
        pod = start(world)
        world.jobs[child.name]["spec"]["suspend"] = True
        disrupt(world, pod)
        world.round()
        end(world, pod)
        world.round()
        del world.pods[pod]
        world.jobs[child.name]["spec"]["suspend"] = False
        world.round()
    assert count(world) == 0


def test_each_disruption_is_an_event_that_says_how_many_there_were_in_a_row() -> None:
    world = prepared()
    disrupted(world)
    disrupted(world)
    told = [chapter for chapter in world.chapters if chapter.reason == "Disrupted"]
    assert [chapter.note.partition(": ")[2] for chapter in told] == [
        f"{EVICTED}; in a row without a new checkpoint of tune: {times}" for times in (1, 2)
    ]
    assert len({chapter.which for chapter in told}) == 2


def test_a_reason_of_any_length_is_taken() -> None:
    world = prepared()
    disrupt(world, start(world), "X" * 1000)
    world.round()
    assert count(world) == 1
