"""The store's Secret that is deleted while a pass runs, and then the pass's pod."""

import pytest

from cluster_manifests import SECRET
from cluster_witness import (
    assert_complete_and_at_rest,
    assert_failed_and_at_rest,
    resumed,
    second_moves,
    two_passes,
)
from cluster_workspace import CHAIN_SECONDS, Workspace, create_credentials

STEPS = 2000

pytestmark = pytest.mark.faults


def test_without_the_stores_secret_the_job_fails_and_another_goes_on_from_its_checkpoint(workspace: Workspace) -> None:
    spec = two_passes(workspace, "locked-out", STEPS)
    workspace.apply("locked-out", spec)
    lose_secret_and_pod(workspace, "locked-out")
    failure = assert_failed_and_at_rest(workspace, "locked-out")
    assert (failure["reason"], failure["path"]) == ("AuthDenied", "spec.store.s3.credentialsSecretRef")

    create_credentials(workspace, SECRET, workspace.cluster.environment["S3_SECRET_KEY"])
    workspace.apply("let-in", spec | {"output": {"s3": workspace.s3("published/let-in")}})
    workspace.status_when("let-in", resumed, CHAIN_SECONDS, "it went on from the other's checkpoint")
    status = assert_complete_and_at_rest(workspace, "let-in")
    assert [step["cacheHit"] for step in status["passes"]] == [True, False]


def lose_secret_and_pod(workspace: Workspace, name: str) -> None:
    """Once its second pass moves."""
    workspace.status_when(name, second_moves, CHAIN_SECONDS, "its second pass moved")
    pod = workspace.running_pod(name)["metadata"]["name"]
    workspace.kubectl("delete", "secret", SECRET)
    workspace.kubectl("delete", "pod", pod, "--wait=false")
