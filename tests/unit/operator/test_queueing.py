"""A stage that queues: its Job waits for Kueue, which may take its pod away again; none of that is a failure."""

from dataclasses import replace

import pytest

from api_specs import wire_spec
from operator_world import SETTINGS, World
from queueing_world import DAYS, QUEUES, admit, evict, queueing, told


def test_a_stage_waits_in_its_queue_and_says_so_at_once() -> None:
    world = queueing()
    assert world.only.suspended
    assert world.status.phase == "Waiting"
    assert world.status.condition("Reconciling").reason == "Queued"
    before = told(world)
    assert before == f"job {world.only.name} waits in local queue team-a until Kueue admits it"
    world.round()
    assert told(world) == before


def test_a_pass_runs_only_once_its_stage_is_admitted_and_its_pod_has_started() -> None:
    world = queueing()
    seen = [world.pass_named("tune").state]
    child = admit(world)
    pod = world.start_pod(
        child, running=False, containerStatuses=[{"name": "runner", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    )
    world.round()
    seen.append(world.pass_named("tune").state)
    del world.pods[pod]
    world.start_pod(child)
    world.round()
    assert [*seen, world.pass_named("tune").state] == ["Pending", "Pending", "Running"]


def test_waiting_in_a_queue_has_no_limit_of_its_own() -> None:
    world = queueing()
    world.later(DAYS)
    world.round()
    assert not world.status.terminal
    assert world.status.phase == "Waiting"


def test_the_jobs_own_deadline_holds_in_a_queue_too() -> None:
    world = queueing(activeDeadlineSeconds=3600)
    world.later(3600)
    world.round()
    assert world.status.failure.reason == "DeadlineExceeded"
    assert world.live == []


def test_an_admitted_stage_runs_and_the_next_one_on_a_system_without_a_queue_does_not_wait() -> None:
    world = queueing()
    admit(world)
    world.start_pod(world.only)
    world.round()
    assert world.status.phase == "Running"
    world.succeed()
    world.round()
    assert not world.only.suspended
    assert world.status.phase == "Running"


def test_a_pod_that_no_node_takes_is_waited_for_from_its_admission_on() -> None:
    world = queueing()
    world.later(DAYS)
    child = admit(world)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
    world.start_pod(child, running=False, conditions=[unschedulable])
    world.rounds(2)
    assert world.status.condition("Reconciling").reason == "Unschedulable"
    assert not world.status.terminal


def test_an_evicted_stage_waits_again_without_a_failure_or_a_new_job() -> None:
    world = queueing(backoffLimit=0)
    world.start_pod(admit(world))
    world.round()
    evict(world)
    made = list(world.created)
    world.rounds(3)
    assert world.status.condition("Reconciling").reason == "Queued"
    assert world.created == made
    admit(world)
    world.succeed()
    world.round()
    assert world.pass_named("tune").state == "Succeeded"


def test_a_pod_that_ended_as_it_was_evicted_is_not_told_as_a_failure_that_is_tried_again() -> None:
    world = queueing()
    pod = world.start_pod(admit(world))
    world.jobs[world.only.name]["spec"]["suspend"] = True
    world.end_pod(pod, 143)
    world.round()
    assert world.status.condition("Reconciling").reason == "Queued"


def test_queueing_is_told_by_one_event_that_is_no_warning() -> None:
    world = queueing().rounds(3)
    assert [chapter.kind for chapter in world.chapters if chapter.reason == "Queued"] == ["Normal"]


def test_suspending_a_job_takes_it_out_of_its_queue_and_resuming_queues_it_again() -> None:
    world = queueing()
    name = world.only.name
    world.suspend(True)
    world.round()
    world.finish_deletions()
    world.round()
    assert world.status.phase == "Suspended"
    world.suspend(False)
    world.round()
    assert (world.only.name, world.only.suspended) == (name, True)


def test_a_job_that_somebody_else_suspended_is_not_said_to_run() -> None:
    world = World().prepared()
    world.jobs[world.only.name]["spec"]["suspend"] = True
    world.round()
    assert told(world) == f"job {world.only.name} is suspended, not by the operator and in no queue: resume it"
    assert world.status.phase == "Waiting"


@pytest.mark.parametrize(("kueue", "reason"), [(False, "InvalidSpec"), (True, "")])
def test_a_queue_is_refused_where_the_operator_is_installed_without_kueue(kueue: bool, reason: str) -> None:
    world = World(spec=wire_spec(systems=QUEUES), settings=replace(SETTINGS, kueue=kueue))
    world.round()
    failure = world.status.failure
    assert (failure.reason if failure else "") == reason
    if failure:
        assert failure.path == "spec.systems[0].queueName"
        assert "kueue.enabled" in failure.remedy
