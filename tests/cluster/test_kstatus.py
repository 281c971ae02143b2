"""What a GitOps tool makes of a job in each phase: kstatus (sigs.k8s.io/cli-utils), on objects of real jobs."""

import json
import time
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_access import POLL_SECONDS
from cluster_setup import add_program
from cluster_workspace import CHAIN_SECONDS, PREPARE_SECONDS, Workspace

Json = dict[str, Any]
MEANS = {
    "Preparing": "InProgress",
    "Running": "InProgress",
    "Waiting": "InProgress",
    "Suspended": "Current",
    "Complete": "Current",
    "Failed": "Failed",
}


@pytest.fixture(scope="module")
def by_phase(workspace: Workspace) -> dict[str, Json]:
    """One object of each phase, as the API server had it."""
    add_program(workspace.cluster, "kstatus")
    odd = manifests.system("odd", image="registry.invalid/none:1")
    good = workspace.spec("good", [manifests.lora()])
    workspace.apply("good", good)
    workspace.apply("bad", workspace.spec("bad", [manifests.merge()]))
    workspace.apply("asleep", good | {"suspend": True})
    workspace.apply("stuck", workspace.spec("stuck", [manifests.lora(system="odd")], [manifests.system("cpu"), odd]))
    found: dict[str, Json] = {}
    for name, end, seconds in (
        ("good", "Complete", CHAIN_SECONDS),
        ("bad", "Failed", PREPARE_SECONDS),
        ("asleep", "Suspended", PREPARE_SECONDS),
        ("stuck", "Waiting", PREPARE_SECONDS),
    ):
        found |= seen(workspace, name, end, seconds)
    return found


def seen(workspace: Workspace, name: str, end: str, seconds: float) -> dict[str, Json]:
    """The last object of each phase on the way to one."""
    found: dict[str, Json] = {}
    deadline = time.monotonic() + seconds
    while end not in found:
        assert time.monotonic() < deadline, f"{name} was never {end}, but {', '.join(found)}"
        job = workspace.get("ftj", name)
        found[job.get("status", {}).get("phase", "")] = job
        time.sleep(POLL_SECONDS)
    return found


def kstatus(workspace: Workspace, job: Json) -> str:
    return workspace.cluster.run("kstatus", stdin=json.dumps(job)).partition("\t")[0]


def test_every_phase_was_seen(by_phase: dict[str, Json]) -> None:
    assert set(MEANS) - set(by_phase) == set()


@pytest.mark.parametrize("phase", MEANS)
def test_a_phase_means_to_kstatus_what_it_says(workspace: Workspace, by_phase: dict[str, Json], phase: str) -> None:
    assert kstatus(workspace, by_phase[phase]) == MEANS[phase]
