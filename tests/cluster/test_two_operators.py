"""Two operators that both take themselves for the only one: the Lease spares work, and nothing rests on it."""

from collections.abc import Iterator

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster
from cluster_audit import audited
from cluster_witness import assert_complete_and_at_rest
from cluster_workspace import Workspace

pytestmark = [pytest.mark.faults, pytest.mark.minutes(0.6)]


@pytest.fixture
def two_without_a_lease(cluster: Cluster) -> Iterator[list[str]]:
    """Their pods."""
    with operator.with_environment(cluster, FINETUNE_LEASE_NAME=""):
        operator.kubectl(cluster, "scale", operator.DEPLOYMENT, "--replicas=2")
        try:
            operator.wait_until_ready(cluster)
            yield operator.pods(cluster)
        finally:
            operator.kubectl(cluster, "scale", operator.DEPLOYMENT, "--replicas=1")


def test_two_operators_at_once_do_each_thing_once(workspace: Workspace, two_without_a_lease: list[str]) -> None:
    begun = len(list(audited(workspace.cluster)))
    systems = [manifests.system("one"), manifests.system("two")]
    passes = [manifests.lora("first", 40, system="one"), manifests.lora("second", 2, input="base", system="two")]
    workspace.apply("both", workspace.spec("both", passes, systems))

    status = assert_complete_and_at_rest(workspace, "both")

    assert len(workspace.jobs("both")) == 1 + len(systems)
    assert [step["attempts"] for step in status["passes"]] == [1, 1]
    requests = [r for r in list(audited(workspace.cluster))[begun:] if r.get("objectRef", {}).get("name") == "both"]
    asked = {pod for request in requests for pod in request["user"]["extra"]["authentication.kubernetes.io/pod-name"]}
    assert asked == set(two_without_a_lease)
