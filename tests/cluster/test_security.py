"""Pods that hold as little as they can, and an operator that may as little as it needs."""

from typing import Any

import pytest

from cluster_access import Cluster
from cluster_setup import OPERATOR_LABEL, OPERATOR_NAMESPACE, RELEASE
from cluster_workspace import Workspace

Json = dict[str, Any]
OPERATOR = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{RELEASE}"


@pytest.fixture(scope="module")
def pods(main_job: Json, shared_workspace: Workspace) -> list[Json]:
    """Every pod of the main job: prepare's and the stage's."""
    return shared_workspace.get("pods")["items"]


def may(cluster: Cluster, *what: str) -> bool:
    done = cluster.attempt("kubectl", "auth", "can-i", *what, "--as", OPERATOR, "--all-namespaces")
    return done.stdout.strip().startswith("yes")


def test_the_namespace_of_the_main_job_admits_only_restricted_pods(main_job: Json, shared_workspace: Workspace) -> None:
    labels = shared_workspace.get("namespace", shared_workspace.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_pod_of_a_job_holds_an_api_token(pods: list[Json]) -> None:
    volumes = [volume for pod in pods for volume in pod["spec"]["volumes"]]
    assert len(pods) >= 2
    assert [pod["spec"]["automountServiceAccountToken"] for pod in pods] == [False] * len(pods)
    assert [volume for volume in volumes if "projected" in volume] == []


def test_every_root_file_system_is_read_only_and_no_capability_is_left(pods: list[Json]) -> None:
    contexts = [container["securityContext"] for pod in pods for container in pod["spec"]["containers"]]
    assert {context["readOnlyRootFilesystem"] for context in contexts} == {True}
    assert [context["capabilities"]["drop"] for context in contexts] == [["ALL"]] * len(contexts)


def test_scratch_space_is_limited(pods: list[Json]) -> None:
    scratch = [volume["emptyDir"] for pod in pods for volume in pod["spec"]["volumes"] if "emptyDir" in volume]
    assert [space for space in scratch if not space.get("sizeLimit")] == []


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "delete"])
def test_the_operator_may_do_nothing_with_secrets(cluster: Cluster, verb: str) -> None:
    assert not may(cluster, verb, "secrets")


@pytest.mark.parametrize(
    "what",
    [
        ("create", "pods"),
        ("create", "pods/exec"),
        ("update", "finetunejobs.finetune-operator.dev"),
        ("delete", "finetunejobs.finetune-operator.dev"),
        ("delete", "configmaps"),
        ("patch", "jobs.batch"),
    ],
    ids=" ".join,
)
def test_the_operator_may_not(cluster: Cluster, what: tuple[str, str]) -> None:
    assert not may(cluster, *what)


def test_the_operator_may_create_jobs(cluster: Cluster) -> None:
    assert may(cluster, "create", "jobs.batch")


def test_the_operators_pod_is_restricted_too(cluster: Cluster) -> None:
    namespace = cluster.get("namespace", OPERATOR_NAMESPACE)
    (pod,) = cluster.get("-n", OPERATOR_NAMESPACE, "pods", "-l", OPERATOR_LABEL)["items"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
