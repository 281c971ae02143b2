"""After a rollback of operator and definition: values in a status that a newer operator has written stay there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_access import Cluster, until
from cluster_manifests import with_change
from cluster_witness import assert_nothing_runs, job_uids, reconciling
from cluster_workspace import PREPARE_SECONDS, Workspace, in_phase

Json = dict[str, Any]
NEWER = "Abandoned"
DEFINITION = ("crd", "finetunejobs.finetune-operator.dev")
FIELDS = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties"
WORDS = (f"{FIELDS}/phase/enum/0", f"{FIELDS}/passes/items/properties/state/enum/0")
"""Where a newer definition has one word more."""
PHASE, STATE = "/status/phase", "/status/passes/0/state"
SERVED_SECONDS = 30
"""Within which the API server holds objects to a definition that has changed."""

pytestmark = [pytest.mark.faults, pytest.mark.minutes(0.3)]


@contextmanager
def newer_definition(cluster: Cluster) -> Iterator[None]:
    patch_definition(cluster, "add", value=NEWER)
    try:
        yield
    finally:
        patch_definition(cluster, "remove")


def patch_definition(cluster: Cluster, operation: str, **more: str) -> None:
    changes = [{"op": operation, "path": path} | more for path in WORDS]
    cluster.kubectl("patch", *DEFINITION, "--type=json", "-p", json.dumps(changes))


def is_written(workspace: Workspace, name: str, path: str, word: str, *more: str) -> bool:
    """Whether the API server takes it."""
    change = json.dumps([{"op": "replace", "path": path, "value": word}])
    where = ("-n", workspace.namespace, "--subresource=status", "--type=json", "-p", change, *more)
    return workspace.cluster.attempt("kubectl", "patch", "ftj", name, *where).returncode == 0


def suspend(workspace: Workspace, name: str, suspended: bool) -> None:
    workspace.kubectl("patch", "ftj", name, "--type=merge", "-p", json.dumps({"spec": {"suspend": suspended}}))


def is_observed(generation: int) -> Any:
    return lambda status: status.get("observedGeneration") == generation


def test_what_a_newer_operator_wrote_stays_and_nothing_is_started_or_stopped_for_it(workspace: Workspace) -> None:
    cluster = workspace.cluster
    nowhere = manifests.system("cpu", nodeSelector={"finetune.test/nowhere": "yes"})
    live = workspace.spec("live", [manifests.lora()], [nowhere])
    workspace.apply("live", live)
    workspace.apply("over", with_change(live, "passes.0.system", "nowhere") | {"suspend": True})
    workspace.failed("over")
    before = workspace.status_when("live", in_phase("Waiting"), PREPARE_SECONDS, "it waited")
    jobs = job_uids(workspace, "live")
    with newer_definition(cluster):
        until(lambda: is_written(workspace, "over", PHASE, NEWER), SERVED_SECONDS, "a newer phase is taken")
        until(lambda: is_written(workspace, "live", STATE, NEWER), SERVED_SECONDS, "a newer state is taken")
    dry = "--dry-run=server"
    until(lambda: not is_written(workspace, "live", PHASE, NEWER, dry), SERVED_SECONDS, "no newer phase is taken")

    suspend(workspace, "over", False)
    over = workspace.status_when("over", is_observed(2), SERVED_SECONDS, "its spec was seen")
    assert (over["phase"], over["failure"]["reason"]) == (NEWER, "InvalidSpec")
    assert job_uids(workspace, "over") == set()

    suspend(workspace, "live", True)
    told = workspace.status_when("live", is_observed(2), SERVED_SECONDS, "its spec was seen")
    assert reconciling(told)["reason"] == "Unreadable"
    assert f"status.passes[0].state: '{NEWER}' is unknown" in reconciling(told)["message"]
    assert told["passes"] == [before["passes"][0] | {"state": NEWER}]
    assert job_uids(workspace, "live") == jobs

    assert is_written(workspace, "live", STATE, "Pending")
    workspace.status_when("live", in_phase("Suspended"), PREPARE_SECONDS, "it went on")
    assert_nothing_runs(workspace, "live")
