"""The operator's clock, and no other, jumps by hours to and fro while a pass runs."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_setup import RELEASE
from cluster_witness import assert_complete_and_at_rest, second_moves, two_passes
from cluster_workspace import CHAIN_SECONDS, Workspace

STEPS = 1600
NAME = "clock"
MOUNT = "/clock"
JUMP = timedelta(hours=2)
DEADLINE = JUMP / 2
JUMPED_SECONDS = 30

pytestmark = [pytest.mark.disruptive, pytest.mark.faults, pytest.mark.minutes(0.9)]


@dataclass(frozen=True)
class Clock:
    """That of the operator's process, kept by libfaketime."""

    cluster: Cluster
    folder: Path

    def set_ahead(self, by: timedelta) -> None:
        """Returns once the operator has told the time by it: it dates the Lease that it holds."""
        fresh = self.folder / "next"
        fresh.write_text(f"+{by.total_seconds():.0f}\n")
        fresh.rename(self.folder / "offset")
        until(lambda: abs(self.ahead() - by) < JUMP / 4, JUMPED_SECONDS, f"the operator's clock is {by} ahead")

    def ahead(self) -> timedelta:
        lease = self.cluster.get("-n", operator.OPERATOR_NAMESPACE, "lease", RELEASE)
        return datetime.fromisoformat(lease["spec"]["renewTime"]) - datetime.now(UTC)


@pytest.fixture
def clock(cluster: Cluster, tmp_path: Path) -> Iterator[Clock]:
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    shutil.copy(library, tmp_path / "libfaketime.so")
    (tmp_path / "offset").write_text("+0\n")
    tmp_path.chmod(0o755)
    volume, claim = manifests.local_volume(f"{NAME}-{os.getpid()}", NAME, tmp_path, mode="ReadOnlyMany")
    claim["metadata"]["namespace"] = operator.OPERATOR_NAMESPACE
    cluster.apply(volume, claim)
    with operator.changed(cluster, pod_with_clock()):
        yield Clock(cluster, tmp_path)
    operator.kubectl(cluster, "delete", "persistentvolumeclaim", NAME)
    cluster.kubectl("delete", "persistentvolume", volume["metadata"]["name"])


def pod_with_clock() -> dict:
    variables = {
        "LD_PRELOAD": f"{MOUNT}/libfaketime.so",
        "FAKETIME_TIMESTAMP_FILE": f"{MOUNT}/offset",
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "NO_FAKE_STAT": "1",
    }
    container = {
        "name": operator.CONTAINER,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [{"name": NAME, "mountPath": MOUNT, "readOnly": True}],
    }
    volume = {"name": NAME, "persistentVolumeClaim": {"claimName": NAME, "readOnly": True}}
    return {"containers": [container], "volumes": [volume]}


def test_a_job_is_not_late_and_no_time_is_wrong_though_the_operators_clock_jumps(
    workspace: Workspace, clock: Clock
) -> None:
    spec = two_passes(workspace, "jumpy", STEPS) | {"activeDeadlineSeconds": int(DEADLINE.total_seconds())}
    workspace.apply("jumpy", spec)
    workspace.status_when("jumpy", second_moves, CHAIN_SECONDS, "its second pass moved")
    for ahead in (JUMP, timedelta(0)):
        clock.set_ahead(ahead)
        wait_until_it_moves_on(workspace, "jumpy")
    clock.set_ahead(JUMP)
    status = assert_complete_and_at_rest(workspace, "jumpy")
    start, end = (datetime.fromisoformat(status[name]) for name in ("startTime", "completionTime"))
    assert start < end < datetime.now(UTC)


def wait_until_it_moves_on(workspace: Workspace, name: str) -> None:
    step = workspace.status(name)["progress"]["step"]
    workspace.status_when(name, lambda status: status["progress"]["step"] > step, CHAIN_SECONDS, "it moved on")
