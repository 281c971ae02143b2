"""What the operator may do is what it does: its roles beside the API server's audit log."""

from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster
from cluster_audit import Permission, asked_for, audited
from cluster_setup import OPERATOR_LABEL, OPERATOR_NAMESPACE, RELEASE
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
ABSENT = {"volumes": [{"name": "keys", "mountPath": "/keys", "secret": {"secretName": "absent"}}]}
BY_ADMISSION = Permission("update", "finetune-operator.dev", "finetunejobs/finalizers")
"""Looked at by the API server itself where OwnerReferencesPermissionEnforcement is on, since children block their
owner's deletion:
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#ownerreferencespermissionenforcement"""

pytestmark = [pytest.mark.disruptive, pytest.mark.minutes(0.6)]


@pytest.fixture(scope="module")
def requests(cluster: Cluster, workspace: Workspace) -> list[Json]:
    """What a new operator has asked for: one job it saw to its end, one could not start, was suspended and deleted."""
    begun = len(list(audited(cluster)))
    operator.kubectl(cluster, "delete", "lease", RELEASE)
    operator.kubectl(cluster, "delete", "pod", "-l", OPERATOR_LABEL)
    operator.wait_until_ready(cluster)
    systems = [manifests.system("cpu"), manifests.system("odd", **ABSENT)]
    workspace.apply("done", workspace.spec("done", [manifests.lora(system="cpu")], systems))
    stuck = workspace.spec("stuck", [manifests.lora(system="odd", max_steps=5)], systems)
    workspace.apply("stuck", stuck | {"artifactDeletion": "WithJob"})
    workspace.status_when("stuck", lambda s: s.get("phase") == "Waiting", PREPARE_SECONDS, "its volume is missing")
    workspace.kubectl("patch", "ftj", "stuck", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    workspace.status_when("stuck", lambda s: s.get("phase") == "Suspended", PREPARE_SECONDS, "it is suspended")
    workspace.kubectl("delete", "ftj", "stuck", "--cascade=foreground", f"--timeout={PREPARE_SECONDS}s")
    workspace.completed("done", CHAIN_SECONDS)
    return list(audited(cluster))[begun:]


def granted(cluster: Cluster) -> set[Permission]:
    roles = [
        cluster.get("clusterrole", RELEASE),
        cluster.get("-n", OPERATOR_NAMESPACE, "role", f"{RELEASE}-lease"),
    ]
    return {
        Permission(verb, group, resource)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_all_that_is_granted_is_used(cluster: Cluster, requests: list[Json]) -> None:
    used = {asked_for(request) for request in requests}
    assert sorted(granted(cluster) - used) == [BY_ADMISSION]


def test_nothing_is_asked_for_that_is_not_granted(cluster: Cluster, requests: list[Json]) -> None:
    asked = {permission for request in requests if (permission := asked_for(request))}
    assert sorted(asked - granted(cluster)) == []
    refused = [r["requestURI"] for r in requests if r["responseStatus"].get("code") == 403]
    assert refused == []


def test_the_operator_does_not_even_ask_for_secrets(requests: list[Json]) -> None:
    assert [r["requestURI"] for r in requests if "secrets" in r["requestURI"]] == []
