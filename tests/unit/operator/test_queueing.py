"""A stage that queues: its Job waits for Kueue, which may take its pod away again; none of that is a failure."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from api_specs import wire_spec
from finetune_operator.kube import KubeError, NotFound, Refused
from finetune_operator.observe.kueue import observe_queue
from finetune_operator.observe.queueing import read_queueing
from finetune_operator.observed import Child, Queueing
from operator_world import SETTINGS, World

QUEUES = [{"name": "gpu", "accelerator": {}, "queueName": "team-a"}, {"name": "cpu"}]
WITH_KUEUE = replace(SETTINGS, kueue=True)
DAYS = 3 * 86400


def queueing(**parts: object) -> World:
    """Prepared, the first stage's Job in its queue."""
    return World(spec=wire_spec(**({"systems": QUEUES} | parts)), settings=WITH_KUEUE).prepared()


def admit(world: World) -> Child:
    world.jobs[world.only.name]["spec"]["suspend"] = False
    return world.only


def evict(world: World) -> None:
    """As Kueue does it: the Job is suspended again, and its pods go."""
    child = world.only
    world.jobs[child.name]["spec"]["suspend"] = True
    world.lose_pods(child)


def told(world: World) -> str:
    return world.status.condition("Reconciling").message


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


def workload(*conditions: dict, **spec: object) -> dict:
    """As Kueue writes it of the first stage's Job."""
    return {"metadata": {"name": "job-tone-1"}, "spec": spec, "status": {"conditions": list(conditions)}}


def condition(kind: str, status: str, reason: str, message: str) -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message}


LOCAL_QUEUE = {"spec": {"clusterQueue": "gpus"}}
SHORT = "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor h100, 1 more"
NO_QUOTA = condition("QuotaReserved", "False", "Pending", SHORT)
PREEMPTED = condition("Evicted", "True", "Preempted", "Preempted to accommodate a workload of higher priority")
IN_LINE = {
    "items": [
        {"metadata": {"name": "job-other-1"}, "positionInClusterQueue": 0, "positionInLocalQueue": 0},
        {"metadata": {"name": "job-tone-1"}, "positionInClusterQueue": 2, "positionInLocalQueue": 1},
    ]
}


def said(queueing_now: Queueing) -> str:
    """What the condition says then."""
    world = queueing()
    world.queueing = {world.only.uid: queueing_now}
    world.round()
    return told(world)


def test_what_kueue_waits_for_is_told_with_the_place_in_the_queue() -> None:
    assert said(read_queueing([workload(NO_QUOTA)], LOCAL_QUEUE, IN_LINE)) == (
        "waiting for quota in cluster queue gpus, position 3 behind job-other-1"
        f" (local queue team-a, workload job-tone-1): {SHORT}"
    )


def test_of_many_that_are_ahead_the_next_ones_are_named() -> None:
    names = [f"job-{number}" for number in range(5)]
    waiting = [{"metadata": {"name": name}, "positionInClusterQueue": at} for at, name in enumerate(names)]
    own = {"metadata": {"name": "job-tone-1"}, "positionInClusterQueue": 7}
    text = said(read_queueing([workload(NO_QUOTA)], LOCAL_QUEUE, {"items": [own, *waiting]}))
    assert "position 8 behind job-4, job-3, job-2 and 2 more (" in text


def test_what_is_not_known_is_left_out() -> None:
    assert said(read_queueing([workload()], None, None)) == (
        "waiting for quota (local queue team-a, workload job-tone-1)"
    )


def test_why_a_stage_was_evicted_is_told_beside_what_it_waits_for_now() -> None:
    words = f"evicted (Preempted): Preempted to accommodate a workload of higher priority; {SHORT}"
    assert said(read_queueing([workload(NO_QUOTA, PREEMPTED)], LOCAL_QUEUE, None)).endswith(f": {words}")


def test_an_eviction_that_kueue_tells_twice_is_told_once() -> None:
    again = condition("QuotaReserved", "False", "Pending", PREEMPTED["message"])
    assert said(read_queueing([workload(again, PREEMPTED)], LOCAL_QUEUE, None)).count("accommodate") == 1


def test_a_workload_that_nobody_will_admit_says_so() -> None:
    gone = condition("Evicted", "True", "Deactivated", "The workload is deactivated")
    text = said(read_queueing([workload(gone, active=False)], LOCAL_QUEUE, None))
    assert "it is deactivated, until somebody sets its spec.active" in text


def test_with_its_quota_a_stage_waits_for_admission_checks() -> None:
    held = workload(condition("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue gpus"))
    held["status"]["admissionChecks"] = [{"name": "nodes", "state": "Pending", "message": "3 nodes to come"}]
    assert said(read_queueing([held], LOCAL_QUEUE, None)) == (
        "waiting for admission in cluster queue gpus (local queue team-a, workload job-tone-1):"
        " admission check nodes is Pending: 3 nodes to come"
    )


def test_a_workload_that_is_being_deleted_says_nothing_more() -> None:
    old = workload(PREEMPTED)
    old["metadata"] |= {"deletionTimestamp": "2026-11-24T12:00:00Z"}
    assert said(read_queueing([old], LOCAL_QUEUE, None)).endswith("; Kueue has not taken it up yet")


def test_that_kueue_can_not_be_read_is_told_and_stops_nothing() -> None:
    world = queueing()
    world.queueing = {world.only.uid: Queueing(unreadable="the API server knows no Kueue")}
    world.round()
    assert told(world).endswith("until Kueue admits it; what Kueue says can't be read: the API server knows no Kueue")
    admit(world)
    world.succeed()
    world.round()
    assert world.pass_named("tune").state == "Succeeded"


def test_kueue_is_asked_again_soon_at_first_and_later_seldom() -> None:
    world = queueing()
    world.queueing = {world.only.uid: Queueing(workload="job-tone-1")}
    asked = []
    for seconds in (0, 10, 20, DAYS):
        world.later(seconds)
        asked.append(world.round().requeue_seconds)
    assert asked == [2, 10, 30, 60]


def test_a_stage_that_runs_is_not_asked_about() -> None:
    world = queueing()
    admit(world)
    assert world.round().requeue_seconds is None


class Answers:
    """An API server whose Kueue answers in part."""

    def __init__(self, **errors: KubeError) -> None:
        self._errors = errors

    async def list_workloads_of(self, namespace: str, job_uid: str) -> list[dict]:
        return [self._answer("workloads", workload(NO_QUOTA))]

    async def get_local_queue(self, namespace: str, name: str) -> dict:
        return self._answer("queue", LOCAL_QUEUE)

    async def get_pending_workloads(self, namespace: str, queue: str) -> dict:
        return self._answer("pending", IN_LINE)

    def _answer(self, name: str, answer: dict) -> dict:
        if name in self._errors:
            raise self._errors[name]
        return answer


ABSENT = NotFound(404, "NotFound", "the server could not find the requested resource")
FORBIDDEN = Refused(403, "Forbidden", "workloads.kueue.x-k8s.io is forbidden")


@pytest.mark.parametrize(
    ("errors", "seen"),
    [
        ({}, Queueing("job-tone-1", "gpus", 3, ("job-other-1",), words=SHORT)),
        ({"pending": ABSENT}, Queueing("job-tone-1", "gpus", words=SHORT)),
        ({"queue": ABSENT, "pending": FORBIDDEN}, Queueing("job-tone-1", words=SHORT)),
        ({"workloads": ABSENT}, Queueing(unreadable="the API server knows no Kueue, in version v1beta2 or v1beta1")),
        ({"workloads": FORBIDDEN}, Queueing(unreadable="workloads.kueue.x-k8s.io is forbidden")),
    ],
)
def test_what_of_kueue_can_be_read_is(errors: dict[str, KubeError], seen: Queueing) -> None:
    answers: Any = Answers(**errors)
    assert asyncio.run(observe_queue(answers, "team", "uid", "team-a")) == seen
