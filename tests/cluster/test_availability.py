"""Of two operators one leads, and when it dies the other goes on with what it did."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_setup import OPERATOR_LABEL, RELEASE
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
TAKE_OVER_SECONDS = 20

pytestmark = pytest.mark.disruptive


@pytest.fixture
def two_operators(cluster: Cluster) -> Iterator[None]:
    operator.kubectl(cluster, "scale", operator.DEPLOYMENT, "--replicas=2")
    operator.wait_until_ready(cluster)
    yield
    operator.kubectl(cluster, "scale", operator.DEPLOYMENT, "--replicas=1")
    operator.kubectl(cluster, "wait", operator.DEPLOYMENT, "--for=jsonpath={.status.replicas}=1", "--timeout=60s")
    until(lambda: leader(cluster) in pods(cluster), TAKE_OVER_SECONDS, "the one that is left leads")


def leader(cluster: Cluster) -> str:
    """Name of the pod that holds the Lease; empty while none does."""
    lease = cluster.get("-n", operator.OPERATOR_NAMESPACE, "lease", RELEASE)
    return str(lease["spec"].get("holderIdentity", ""))


def pods(cluster: Cluster) -> list[str]:
    found = cluster.get("-n", operator.OPERATOR_NAMESPACE, "pods", "-l", OPERATOR_LABEL)["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


@pytest.mark.usefixtures("two_operators")
def test_when_the_leader_dies_the_other_leads_and_the_job_goes_on(cluster: Cluster, workspace: Workspace) -> None:
    systems = [manifests.system("cpu"), manifests.system("other")]
    passes = [manifests.lora(max_steps=40, system="cpu"), manifests.merge(system="other")]
    workspace.apply("led", workspace.spec("led", passes, systems))
    workspace.status_when("led", lambda status: status["phase"] == "Running", PREPARE_SECONDS, "its first stage runs")

    dead, died = leader(cluster), time.monotonic()
    operator.kubectl(cluster, "delete", "pod", dead, "--force", "--grace-period=0")
    until(lambda: leader(cluster) not in ("", dead), TAKE_OVER_SECONDS, "another leads")
    assert time.monotonic() - died < TAKE_OVER_SECONDS

    workspace.completed("led", CHAIN_SECONDS)
    assert len(workspace.stage_jobs("led")) == len(systems)
    assert [step["attempts"] for step in workspace.status("led")["passes"]] == [1, 1]
