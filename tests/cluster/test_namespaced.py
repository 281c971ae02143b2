"""An operator of some namespaces, by a role in each: there it does its work, and elsewhere it does not even ask."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

import cluster_manifests as manifests
import cluster_operator as operator
import cluster_setup as setup
from cluster_access import Cluster, until
from cluster_audit import audited, forbidden
from cluster_setup import OPERATOR_NAMESPACE, RELEASE
from cluster_workspace import Workspace

Json = dict[str, Any]

pytestmark = [pytest.mark.faults, pytest.mark.roles_change, pytest.mark.minutes(0.5)]


@pytest.fixture
def bounded(cluster: Cluster, workspace: Workspace) -> Iterator[None]:
    """The operator, installed for the workspace's namespace alone."""
    images = setup.load_images(cluster)
    setup.install_chart(cluster, images, watchNamespaces=f"{{{workspace.namespace}}}")
    until(lambda: len(operator.all_pods(cluster)) == 1, operator.READY_SECONDS, "the operator of before is gone")
    yield
    setup.install_chart(cluster, images)


@pytest.fixture
def elsewhere(cluster: Cluster, workspace: Workspace) -> Iterator[str]:
    """Another namespace."""
    name = f"{workspace.namespace}-elsewhere"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.usefixtures("bounded")
def test_it_runs_the_jobs_of_its_namespaces_and_asks_for_nothing_elsewhere(
    cluster: Cluster, workspace: Workspace, elsewhere: str
) -> None:
    begun, so_far = datetime.now(UTC), len(list(audited(cluster)))
    spec = workspace.spec("here", [manifests.lora(system="cpu")])
    cluster.kubectl("-n", elsewhere, "apply", "-f", "-", stdin=yaml.safe_dump(manifests.job("there", spec)))

    workspace.apply("here", spec)
    workspace.completed("here")

    assert "status" not in cluster.get("-n", elsewhere, "ftj", "there")
    requests = list(audited(cluster))[so_far:]
    namespaces = {request["objectRef"].get("namespace") for request in requests if "objectRef" in request}
    assert namespaces == {workspace.namespace, OPERATOR_NAMESPACE}
    assert forbidden(cluster, begun) == set()
    assert cluster.attempt("kubectl", "get", "clusterrole", RELEASE).returncode != 0
