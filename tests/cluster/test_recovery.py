"""Whatever of the system crashes, a job ends Complete, with one committed output a pass: nothing is done twice."""

from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_manifests import with_change
from cluster_setup import hack
from cluster_store import attempts
from cluster_store import manifests as committed
from cluster_workspace import CHAIN_SECONDS, Workspace, in_phase

Json = dict[str, Any]
LONG_STEPS = 800
"""Some seconds of training: long enough for something to happen meanwhile, after the first pass was committed."""
RESTARTS_STEPS = 2 * LONG_STEPS
API_SERVER = "kube-apiserver"
COMPONENTS = ("etcd", API_SERVER, "kubelet", "containerd", "kube-scheduler", "kube-controller-manager", "s3")
"""The API server before the controller manager, which dies where it has just begun and that goes away."""

pytestmark = [pytest.mark.disruptive, pytest.mark.minutes(3)]


@pytest.fixture(autouse=True)
def _healthy_operator(cluster: Cluster) -> None:
    """The kubelet delays restarts of a container that crashed before; each test starts without that."""
    operator.renew(cluster)


@pytest.fixture
def job(workspace: Workspace, request: pytest.FixtureRequest) -> tuple[str, Json]:
    """Name and spec of a job that shares no work with another: two short passes in one pod."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:50].strip("-")
    passes = [manifests.lora("first", 2), manifests.lora("second", 2, input="base")]
    spec = workspace.spec(name, passes)
    seed = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31
    return name, with_change(
        with_change(spec, "passes.0.lora.training.seed", seed), "passes.1.lora.training.seed", seed
    )


@pytest.fixture
def long_job(job: tuple[str, Json]) -> tuple[str, Json]:
    """The same, but its second pass takes a while."""
    name, spec = job
    return name, with_change(spec, "passes.1.lora.training.maxSteps", LONG_STEPS)


def second_pass_runs(status: Json) -> bool:
    """And so the first is committed: a stage begins a pass when the one before is."""
    return status.get("currentPass") == "second"


def assert_each_pass_was_done_once(workspace: Workspace, status: Json) -> None:
    assert set(committed(workspace, status)) == {"first", "second"}
    assert {name: len(pods) for name, pods in attempts(workspace, status).items()} == {"first": 1, "second": 1}


def test_operator_killed_before_it_saw_the_job(workspace: Workspace, job: tuple[str, Json]) -> None:
    name, spec = job
    with operator.frozen(workspace.cluster):
        workspace.apply(name, spec)
        assert workspace.status(name) == {}
    assert_each_pass_was_done_once(workspace, workspace.completed(name))


def test_operator_killed_while_preparing(workspace: Workspace, job: tuple[str, Json]) -> None:
    name, spec = job
    workspace.apply(name, spec)
    workspace.status_when(name, in_phase("Preparing"), CHAIN_SECONDS, "it was Preparing")
    operator.kill(workspace.cluster)
    assert_each_pass_was_done_once(workspace, workspace.completed(name))
    assert len(workspace.jobs(name)) == 2


def test_operator_killed_between_preparing_and_the_stage(workspace: Workspace, job: tuple[str, Json]) -> None:
    name, spec = job
    workspace.apply(name, spec)
    until(lambda: workspace.jobs(name), CHAIN_SECONDS, "the prepare Job is there")
    with operator.frozen(workspace.cluster):
        wait_for_jobs(workspace, name)
        assert workspace.stage_jobs(name) == []
    assert_each_pass_was_done_once(workspace, workspace.completed(name))
    assert len(workspace.jobs(name)) == 2


def test_operator_killed_while_running(workspace: Workspace, long_job: tuple[str, Json]) -> None:
    name, spec = long_job
    workspace.apply(name, spec)
    workspace.status_when(name, second_pass_runs, CHAIN_SECONDS, "the second pass ran")
    operator.kill(workspace.cluster)
    assert_each_pass_was_done_once(workspace, workspace.completed(name))
    assert len(workspace.jobs(name)) == 2


def test_operator_killed_just_before_it_sees_the_end(workspace: Workspace, long_job: tuple[str, Json]) -> None:
    name, spec = long_job
    workspace.apply(name, spec)
    workspace.status_when(name, second_pass_runs, CHAIN_SECONDS, "the second pass ran")
    with operator.frozen(workspace.cluster):
        wait_for_jobs(workspace, name)
        assert workspace.status(name)["phase"] == "Running"
    assert_each_pass_was_done_once(workspace, workspace.completed(name))
    assert len(workspace.jobs(name)) == 2


def test_finished_pod_collected_while_the_operator_was_down(workspace: Workspace, long_job: tuple[str, Json]) -> None:
    name, spec = long_job
    workspace.apply(name, spec)
    workspace.status_when(name, second_pass_runs, CHAIN_SECONDS, "the second pass ran")
    with operator.absent(workspace.cluster):
        wait_for_jobs(workspace, name)
        workspace.kubectl("delete", "pods", "--all", "--wait=true")
    assert_each_pass_was_done_once(workspace, workspace.completed(name))
    assert len(workspace.stage_jobs(name)) == 1


def test_api_server_restarted(workspace: Workspace, long_job: tuple[str, Json]) -> None:
    name, spec = long_job
    workspace.apply(name, spec)
    workspace.status_when(name, second_pass_runs, CHAIN_SECONDS, "the second pass ran")
    hack("cluster", "restart", API_SERVER, "--name", workspace.cluster.name)
    assert_each_pass_was_done_once(workspace, workspace.completed(name))


@pytest.mark.faults
def test_every_component_of_the_cluster_restarted(workspace: Workspace, long_job: tuple[str, Json]) -> None:
    name, spec = long_job
    workspace.apply(name, with_change(spec, "passes.1.lora.training.maxSteps", RESTARTS_STEPS))
    workspace.status_when(name, second_pass_runs, CHAIN_SECONDS, "the second pass ran")
    for component in COMPONENTS:
        hack("cluster", "restart", component, "--name", workspace.cluster.name)
        assert workspace.status(name)["phase"] == "Running", f"the job ended before {component} was restarted"
    assert_each_pass_was_done_once(workspace, workspace.completed(name))


def test_a_finished_job_never_starts_again(workspace: Workspace, job: tuple[str, Json]) -> None:
    name, spec = job
    workspace.apply(name, spec)
    ended = workspace.completed(name)
    workspace.kubectl("delete", "jobs", "--all")
    workspace.apply(name, spec)
    workspace.kubectl("label", "ftj", name, "changed=yes")
    operator.kill(workspace.cluster)
    barrier(workspace, spec)
    assert workspace.jobs(name) == []
    assert workspace.status(name) == ended


def barrier(workspace: Workspace, spec: Json) -> None:
    """Returns once the operator has looked at everything there was when this was called."""
    workspace.apply("barrier", with_change(spec, "passes.0.system", "nowhere"))
    workspace.failed("barrier")


def wait_for_jobs(workspace: Workspace, name: str) -> None:
    """Until every Kubernetes Job of a FineTuneJob is complete, as the Job controller sees it."""
    selector = f"finetune-operator.dev/job-name={name}"
    workspace.kubectl("wait", "jobs", "-l", selector, "--for=condition=Complete", f"--timeout={CHAIN_SECONDS}s")
