"""How long a job's pods have held accelerators is counted once, whatever becomes of the pods, and can be limited."""

import pytest

from api_specs import wire_spec
from finetune_operator.conditions import timestamp
from finetune_operator.metrics.change import change
from operator_world import World

TWO_DEVICES = [{"name": "gpu", "accelerator": {"count": 2}}, {"name": "cpu"}]


def prepared(**limits: float) -> World:
    return World(spec=wire_spec(systems=TWO_DEVICES, limits=limits)).prepared()


def on_a_node(world: World) -> str:
    at = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp(world.now)}
    return world.start_pod(world.only, conditions=[at])


def end(world: World, pod: str, exit_code: int) -> None:
    world.end_pod(pod, exit_code, "killed", conditions=world.pods[pod]["status"]["conditions"])


def test_a_pod_counts_from_its_node_to_its_end_times_its_devices() -> None:
    world = prepared()
    pod = on_a_node(world)
    world.later(100)
    world.rounds(2)
    assert world.status.accelerator_seconds == 200
    world.later(50)
    end(world, pod, 137)
    world.later(1000)
    world.rounds(2)
    assert world.status.accelerator_seconds == 300


def test_a_pod_that_is_gone_keeps_what_was_counted_and_its_successor_adds_to_it() -> None:
    world = prepared()
    on_a_node(world)
    world.later(100)
    world.round()
    world.pods.clear()
    world.later(10)
    on_a_node(world)
    world.later(20)
    world.rounds(2)
    assert world.status.accelerator_seconds == 240


def test_older_pods_that_are_still_there_are_not_counted_again() -> None:
    world = prepared()
    for _ in range(3):
        pod = on_a_node(world)
        world.later(10)
        end(world, pod, 51)
        world.later(5)
        world.rounds(2)
    assert world.status.accelerator_seconds == 60


def test_pods_that_all_came_and_went_while_the_operator_was_down_are_counted() -> None:
    world = prepared()
    for _ in range(2):
        pod = on_a_node(world)
        world.later(10)
        end(world, pod, 51)
        world.later(5)
    world.round()
    assert world.status.accelerator_seconds == 40


def test_waiting_for_a_node_and_a_stage_without_accelerator_count_nothing() -> None:
    world = prepared()
    world.start_pod(world.only, running=False)
    world.later(100)
    world.round()
    assert world.status.accelerator_seconds is None
    world.pods.clear()
    world.succeed()
    world.round()
    on_a_node(world)
    world.later(100)
    world.round()
    assert world.status.accelerator_seconds is None


def test_a_job_that_has_used_up_its_hours_fails_and_frees_what_it_holds() -> None:
    world = prepared(acceleratorHours=0.5)
    on_a_node(world)
    world.later(899)
    assert world.round().requeue_seconds == pytest.approx(1)
    assert not world.status.terminal
    world.later(1)
    world.round()
    failure = world.status.failure
    assert (failure.reason, failure.path) == ("DeadlineExceeded", "spec.limits.acceleratorHours")
    assert "0.5 hours" in failure.message
    assert world.live == []


def test_what_was_done_within_the_limit_is_complete() -> None:
    world = World(spec=wire_spec(systems=TWO_DEVICES, limits={"acceleratorHours": 1})).completed()
    assert world.status.holds("Complete")


def test_time_alone_is_written_once_a_minute_as_each_write_wakes_the_operator() -> None:
    world = prepared()
    on_a_node(world)
    world.rounds(2)
    written, counted = [], 0
    for _ in range(130):
        world.later(1)
        before = world.status
        world.round()
        counted += change(before, world.status, world.now).accelerator_seconds
        if world.status != before:
            written.append(world.status.accelerator_seconds)
    assert written == [120, 240]
    assert counted == 240


def test_what_was_held_back_is_written_with_other_news_and_at_the_pods_end() -> None:
    world = prepared()
    pod = on_a_node(world)
    world.rounds(2)
    world.later(10)
    world.suspend(True)
    world.rounds(2)
    assert world.status.accelerator_seconds == 20
    world.later(10)
    world.round()
    assert world.status.accelerator_seconds == 20
    end(world, pod, 143)
    world.round()
    assert world.status.accelerator_seconds == 40
