"""Stages in a queue of a real Kueue, installed from its own manifests with its webhooks.

Two jobs, room for one: both wait and say for what; with quota the first runs, the second waits behind it; evicted in
the middle of a pass, the first makes room for the second, and goes on from its checkpoint once it is admitted again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import cluster_kueue as kueue
from cluster_access import Cluster
from cluster_audit import Permission, asked_for, audited
from cluster_kueue import queued, queueing_spec
from cluster_setup import RELEASE
from cluster_witness import moved, reconciling, resumed
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
LONG_STEPS = 2000
CPU = "100m"
"""What a stage asks for."""

pytestmark = [pytest.mark.kueue, pytest.mark.minutes(1.2), pytest.mark.usefixtures("kueue_installed")]


@dataclass(frozen=True)
class Course:
    """What became of the two jobs."""

    cluster_queue: str
    waiting: dict[str, Json]
    """Status of each before there was any quota."""
    behind: Json
    """Status of the second while the first ran."""
    evicted: Json
    """Status of the first after its eviction, and of its Job."""
    pods_after_eviction: list[Json]
    job_before: Json
    job_at_end: Json
    resumed: Json
    done: dict[str, Json]
    asked: set[Permission | None]
    """What the operator has asked for meanwhile."""


@pytest.fixture(scope="module")
def queue(workspace: Workspace) -> Iterator[str]:
    yield kueue.make_queue(workspace, "0")
    kueue.remove_queue(workspace)


@pytest.fixture(scope="module")
def course(workspace: Workspace, queue: str) -> Course:
    begun = len(list(audited(workspace.cluster)))
    waiting = {name: wait_in_queue(workspace, name, steps) for name, steps in (("first", LONG_STEPS), ("second", 2))}
    kueue.set_quota(workspace, CPU)
    workspace.status_when("first", moved, CHAIN_SECONDS, "it trained")
    behind = workspace.status("second")
    (job_before,) = workspace.stage_jobs("first")
    workload = kueue.workload_of(workspace, job_before)
    kueue.activate(workspace, workload, active=False)
    evicted = workspace.status_when("first", queued("deactivated"), PREPARE_SECONDS, "it was evicted")
    second = workspace.completed("second")
    pods = workspace.stage_pods("first")
    kueue.activate(workspace, workload, active=True)
    again = workspace.status_when("first", resumed, CHAIN_SECONDS, "it went on from its checkpoint")
    first = workspace.completed("first")
    (job_at_end,) = workspace.stage_jobs("first")
    done = {"first": first, "second": second}
    asked = {asked_for(request) for request in list(audited(workspace.cluster))[begun:]}
    return Course(queue, waiting, behind, evicted, pods, job_before, job_at_end, again, done, asked)


def wait_in_queue(workspace: Workspace, name: str, steps: int) -> Json:
    """The status of a new job once Kueue has said what it waits for."""
    workspace.apply(name, queueing_spec(workspace, name, steps))
    return workspace.status_when(name, queued("position", "insufficient"), PREPARE_SECONDS, "it waited for quota")


def message(status: Json) -> str:
    return reconciling(status).get("message", "")


def test_a_stage_without_quota_says_what_it_waits_for_and_where_it_stands(course: Course) -> None:
    for name, position in (("first", 1), ("second", 2)):
        said = message(course.waiting[name])
        assert said.startswith(f"waiting for quota in cluster queue {course.cluster_queue}, position {position} ")
    assert "insufficient" in message(course.waiting["first"])
    assert course.waiting["first"]["phase"] == "Waiting"


def test_a_second_job_waits_while_the_first_has_the_quota(course: Course) -> None:
    assert queued()(course.behind)


def test_an_evicted_stage_frees_its_pod_and_says_why(course: Course) -> None:
    assert "evicted (Deactivated" in message(course.evicted)
    assert course.pods_after_eviction == []
    assert course.done["second"]["phase"] == "Complete"


def test_admitted_again_the_same_job_goes_on_from_its_checkpoint_though_none_may_be_retried(course: Course) -> None:
    assert course.resumed["progress"]["resumedFromStep"] > 0
    assert course.job_at_end["metadata"]["uid"] == course.job_before["metadata"]["uid"]
    assert course.job_at_end["status"].get("failed", 0) == 0
    assert course.done["first"]["phase"] == "Complete"


def test_all_that_the_operator_may_read_of_kueue_it_reads(cluster: Cluster, course: Course) -> None:
    rules = cluster.get("clusterrole", RELEASE)["rules"]
    granted = {
        Permission(verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if group.endswith("kueue.x-k8s.io")
    }
    assert granted
    assert granted - course.asked == set()
