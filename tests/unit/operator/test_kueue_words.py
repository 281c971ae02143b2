"""What Kueue says of a stage that queues is told in the job's condition."""

import asyncio
from typing import Any

import pytest

from finetune_operator.kube import KubeError, NotFound, Refused
from finetune_operator.observe.kueue import observe_queue
from finetune_operator.observe.queueing import read_queueing
from finetune_operator.observed import Queueing
from queueing_world import DAYS, admit, queueing, told


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
