"""What Kueue takes back by itself: a place for a stage of higher priority, and one whose pod does not get ready."""

from collections.abc import Iterator

import pytest

import cluster_kueue as kueue
from cluster_access import until
from cluster_kueue import PODS_READY_SECONDS, queued, queueing_spec
from cluster_witness import assert_complete_and_at_rest, live_pods, moved, reconciling, resumed
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Json, Workspace

LONG_STEPS = 2000
ROOM_FOR_ONE = "100m"
GONE_SECONDS = 30
LATE_SECRET = "late"

pytestmark = [pytest.mark.kueue, pytest.mark.minutes(1.8), pytest.mark.usefixtures("kueue_installed")]


@pytest.fixture(scope="module")
def priority(workspace: Workspace) -> Iterator[str]:
    """A WorkloadPriorityClass above that of those that name none, in a queue with room for one stage."""
    yield kueue.make_queue(workspace, ROOM_FOR_ONE)
    kueue.remove_queue(workspace)


def test_a_stage_that_makes_room_for_one_of_higher_priority_goes_on_afterwards(
    workspace: Workspace, priority: str
) -> None:
    workspace.apply("patient", queueing_spec(workspace, "patient", LONG_STEPS))
    workspace.status_when("patient", moved, CHAIN_SECONDS, "it trained")
    (before,) = workspace.stage_jobs("patient")

    workspace.apply("urgent", queueing_spec(workspace, "urgent", 2, workloadPriorityClassName=priority))
    waiting = workspace.status_when("patient", queued("evicted (Preempted)"), PREPARE_SECONDS, "it was preempted")
    assert waiting["phase"] == "Waiting"
    until(lambda: not live_pods(workspace, "patient"), GONE_SECONDS, "its pod makes room")
    workspace.completed("urgent")

    workspace.status_when("patient", resumed, CHAIN_SECONDS, "it went on from its checkpoint")
    assert_complete_and_at_rest(workspace, "patient")
    assert_made_by(workspace, "patient", before)


@pytest.mark.usefixtures("priority")
def test_a_stage_whose_pod_does_not_get_ready_waits_in_the_queue_again(workspace: Workspace) -> None:
    """Which is told, and is no failure: with what the pod missed it goes on, though no try is left."""
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": LATE_SECRET, "key": "token"}}}
    workspace.apply("unready", queueing_spec(workspace, "unready", 3, env=[token]))
    workspace.status_when("unready", misses_its_secret, PREPARE_SECONDS, "its pod missed something")
    (before,) = workspace.stage_jobs("unready")

    evicted = queued("evicted (PodsReadyTimeout)")
    waiting = workspace.status_when("unready", evicted, PODS_READY_SECONDS + PREPARE_SECONDS, "it was evicted")
    assert waiting["phase"] == "Waiting"
    workspace.kubectl("create", "secret", "generic", LATE_SECRET, "--from-literal=token=value")

    assert_complete_and_at_rest(workspace, "unready")
    assert_made_by(workspace, "unready", before)


def misses_its_secret(status: Json) -> bool:
    return reconciling(status).get("reason") == "MissingReference"


def assert_made_by(workspace: Workspace, name: str, job: Json) -> None:
    """The stage's Job is the one it was, and counts no failed pod."""
    (at_end,) = workspace.stage_jobs(name)
    assert at_end["metadata"]["uid"] == job["metadata"]["uid"]
    assert at_end["status"].get("failed", 0) == 0
