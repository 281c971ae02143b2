"""A Secret that is deleted while a pass runs, and then the pass's pod: the store's, and one of a volume."""

import pytest

import cluster_manifests as manifests
from cluster_witness import (
    assert_complete_and_at_rest,
    assert_failed_and_at_rest,
    reconciling,
    resumed,
    second_moves,
    two_passes,
)
from cluster_workspace import CHAIN_SECONDS, Json, Workspace, create_credentials

STEPS = 2000
VOLUME_SECRET = "keys"

pytestmark = [pytest.mark.faults, pytest.mark.minutes(1.5)]


def test_without_the_stores_secret_the_job_fails_and_another_goes_on_from_its_checkpoint(workspace: Workspace) -> None:
    """The other, in its turn, loses a volume's Secret, and goes on once there is one again."""
    spec = two_passes(workspace, "locked-out", STEPS)
    workspace.apply("locked-out", spec)
    workspace.status_when("locked-out", second_moves, CHAIN_SECONDS, "its second pass moved")
    lose_secret_and_pod(workspace, "locked-out", manifests.SECRET)
    failure = assert_failed_and_at_rest(workspace, "locked-out")
    assert (failure["reason"], failure["path"]) == ("AuthDenied", "spec.store.s3.credentialsSecretRef")

    create_credentials(workspace, manifests.SECRET, workspace.cluster.environment["S3_SECRET_KEY"])
    create_volume_secret(workspace)
    workspace.apply("let-in", with_volume(spec) | {"output": {"s3": workspace.s3("published/let-in")}})
    workspace.status_when("let-in", resumed, CHAIN_SECONDS, "it went on from the other's checkpoint")
    lose_secret_and_pod(workspace, "let-in", VOLUME_SECRET)
    waiting = workspace.status_when("let-in", misses_its_secret, CHAIN_SECONDS, "it was told what it misses")
    assert waiting["phase"] == "Waiting"
    create_volume_secret(workspace)
    status = assert_complete_and_at_rest(workspace, "let-in")
    assert [step["cacheHit"] for step in status["passes"]] == [True, False]


def with_volume(spec: Json) -> Json:
    """The same, with a volume made from a Secret."""
    system = manifests.system("cpu")
    volume = {"name": "keys", "mountPath": "/keys", "secret": {"secretName": VOLUME_SECRET}}
    return spec | {"systems": [system | {"volumes": [*system["volumes"], volume]}]}


def create_volume_secret(workspace: Workspace) -> None:
    workspace.kubectl("create", "secret", "generic", VOLUME_SECRET, "--from-literal=key=value")


def lose_secret_and_pod(workspace: Workspace, name: str, secret: str) -> None:
    pod = workspace.running_pod(name)["metadata"]["name"]
    workspace.kubectl("delete", "secret", secret)
    workspace.kubectl("delete", "pod", pod, "--wait=false")


def misses_its_secret(status: Json) -> bool:
    told = reconciling(status)
    return told.get("reason") == "MissingReference" and f'secret "{VOLUME_SECRET}" not found' in told["message"]
