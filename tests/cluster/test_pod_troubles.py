"""A stage's pod that can't start is seen while it waits, and after a limit its job fails and holds nothing more."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import until
from cluster_setup import GPUS
from cluster_witness import reconciling
from cluster_workspace import PREPARE_SECONDS, Workspace

Json = dict[str, Any]
LIMIT_SECONDS = 20
"""Longer than it takes until a pull fails for a registry whose name nobody knows."""
END_SECONDS = 120
GONE_SECONDS = 60

pytestmark = [pytest.mark.disruptive, pytest.mark.minutes(0.9)]


@dataclass(frozen=True)
class Trouble:
    change: Json
    """Of the system that the stage runs on."""
    event: str
    reason: str
    path: str
    words: str
    """What the kubelet or the scheduler says."""


TROUBLES = {
    "no-image": Trouble(
        {"image": "registry.invalid/none:1"}, "ImagePullFailed", "ImagePullFailed", "spec.systems[1].image", "none:1"
    ),
    "no-node": Trouble(
        {"accelerator": {"resourceName": "nvidia.com/gpu", "count": GPUS + 1}},
        "Unschedulable",
        "Unschedulable",
        "spec.systems[1]",
        "Insufficient nvidia.com/gpu",
    ),
    "no-secret": Trouble(
        {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "token"}}}]},
        "MissingReference",
        "InvalidSpec",
        "spec.systems[1].env",
        'secret "absent" not found',
    ),
    "no-volume": Trouble(
        {"volumes": [{"name": "keys", "mountPath": "/keys", "secret": {"secretName": "absent"}}]},
        "MissingReference",
        "InvalidSpec",
        "spec.systems[1]",
        'secret "absent" not found',
    ),
    "no-account": Trouble(
        {"serviceAccountName": "absent"},
        "MissingReference",
        "InvalidSpec",
        "spec.systems[1]",
        'serviceaccount "absent" not found',
    ),
    "no-quota": Trouble(
        {"accelerator": {"resourceName": "nvidia.com/gpu", "count": GPUS + 2}},
        "QuotaExceeded",
        "Unschedulable",
        "spec.systems[1]",
        "exceeded quota: accelerators",
    ),
}

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "accelerators"},
    "spec": {"hard": {"requests.nvidia.com/gpu": str(GPUS + 1)}},
}


@dataclass(frozen=True)
class Course:
    """What became of a job."""

    waiting: Json
    """Its status while its pod could not start."""
    failure: Json


@pytest.fixture(scope="module")
def courses(workspace: Workspace) -> dict[str, Course]:
    """Every trouble's job to its end, side by side, since all that happens is waiting."""
    workspace.apply_document(QUOTA)
    limit = str(LIMIT_SECONDS)
    limits = {"FINETUNE_POD_START_SECONDS": limit, "FINETUNE_UNSCHEDULABLE_SECONDS": limit}
    with (
        operator.with_environment(workspace.cluster, FINETUNE_RESYNC_SECONDS="5", **limits),
        ThreadPoolExecutor() as pool,
    ):
        return dict(zip(TROUBLES, pool.map(partial(run_to_its_end, workspace), TROUBLES), strict=True))


def run_to_its_end(workspace: Workspace, name: str) -> Course:
    trouble = TROUBLES[name]
    systems = [manifests.system("cpu"), manifests.system("odd", **trouble.change)]
    workspace.apply(name, workspace.spec(name, [manifests.lora(system="odd")], systems))
    waiting = workspace.status_when(name, waits_for(trouble), PREPARE_SECONDS, f"it was {trouble.event}")
    return Course(waiting, workspace.failed(name, END_SECONDS))


def events(workspace: Workspace, name: str) -> list[Json]:
    found = workspace.get("events", f"--field-selector=involvedObject.name={name},type=Warning")
    return found["items"]


def waits_for(trouble: Trouble) -> Callable[[Json], bool]:
    """A volume that is just being bound makes any pod unschedulable for a moment, so reason and words are looked at."""
    wanted = ("Reconciling", "True", trouble.event)
    return lambda status: any(
        (c["type"], c["status"], c["reason"]) == wanted and trouble.words in c["message"]
        for c in status.get("conditions", [])
    )


@pytest.mark.parametrize("name", TROUBLES)
def test_a_pod_that_cannot_start_is_told_while_it_waits_and_then_ends_its_job(
    workspace: Workspace, courses: dict[str, Course], name: str
) -> None:
    trouble, course = TROUBLES[name], courses[name]
    assert course.waiting["phase"] == "Waiting"
    assert trouble.words in (said := reconciling(course.waiting)["message"])
    assert "It waits until 20" in said
    assert (course.failure["reason"], course.failure["path"]) == (trouble.reason, trouble.path)
    assert course.failure["pass"] == "tune"
    assert trouble.words in course.failure["message"]
    assert course.failure["remedy"]
    until(lambda: not workspace.stage_pods(name), GONE_SECONDS, "the pod that could not start is gone")
    told = Counter(event["reason"] for event in events(workspace, name))
    assert (told[trouble.event], told["Failed"]) == (1, 1)
