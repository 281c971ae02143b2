"""Of two operators one leads, and when it dies the other goes on with what it did."""

import time
from collections.abc import Iterator

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

pytestmark = [pytest.mark.disruptive, pytest.mark.faults, pytest.mark.minutes(0.5)]


@pytest.fixture
def two_operators(cluster: Cluster) -> Iterator[None]:
    with operator.two_replicas(cluster):
        yield


@pytest.mark.usefixtures("two_operators")
def test_when_the_leader_dies_the_other_leads_and_the_job_goes_on(cluster: Cluster, workspace: Workspace) -> None:
    systems = [manifests.system("cpu"), manifests.system("other")]
    passes = [manifests.lora(max_steps=40, system="cpu"), manifests.merge(system="other")]
    workspace.apply("led", workspace.spec("led", passes, systems))
    workspace.status_when("led", lambda status: status["phase"] == "Running", PREPARE_SECONDS, "its first stage runs")

    dead, died = operator.leader(cluster), time.monotonic()
    operator.kubectl(cluster, "delete", "pod", dead, "--force", "--grace-period=0")
    until(lambda: operator.leader(cluster) not in ("", dead), operator.TAKE_OVER_SECONDS, "another leads")
    assert time.monotonic() - died < operator.TAKE_OVER_SECONDS

    workspace.completed("led", CHAIN_SECONDS)
    assert len(workspace.stage_jobs("led")) == len(systems)
    assert [step["attempts"] for step in workspace.status("led")["passes"]] == [1, 1]
