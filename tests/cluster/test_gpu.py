"""A GPU is asked for by the passes that need it, and by no other. The node only claims to have four."""

from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_access import Cluster
from cluster_metrics import Figures
from cluster_setup import GPUS
from cluster_workspace import Workspace

Json = dict[str, Any]
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def failed_job(workspace: Workspace) -> Json:
    """A job whose passes on the CPU succeed; then its pass on the GPU system finds no device in its pod."""
    systems = [manifests.system("cpu"), manifests.system("gpu", accelerator={"resourceName": GPU, "count": 1})]
    chain = [manifests.lora(), manifests.merge(), manifests.int4()]
    passes = [{**step, "system": "cpu"} for step in chain]
    passes.append(manifests.lora("tune-more", system="gpu", input="base"))
    workspace.apply("mixed", workspace.spec("mixed", passes, systems))
    workspace.failed("mixed")
    return workspace.get("ftj", "mixed")


def gpus(pod: Json) -> list[str | None]:
    """What each of a pod's containers is limited to."""
    return [container["resources"].get("limits", {}).get(GPU) for container in pod["spec"]["containers"]]


def stage_pods(workspace: Workspace) -> list[Json]:
    return sorted(workspace.stage_pods("mixed"), key=lambda pod: pod["metadata"]["creationTimestamp"])


def test_the_node_has_four(cluster: Cluster) -> None:
    (node,) = cluster.get("nodes")["items"]
    assert node["status"]["allocatable"][GPU] == str(GPUS)


def test_a_stage_on_the_gpu_system_gets_one(failed_job: Json, workspace: Workspace) -> None:
    last = stage_pods(workspace)[-1]
    assert gpus(last) == ["1"]
    assert last["spec"]["nodeName"]


def test_the_stage_with_merge_and_int4_asks_for_none(failed_job: Json, workspace: Workspace) -> None:
    states = {step["name"]: step["state"] for step in failed_job["status"]["passes"]}
    assert (states["merge"], states["int4"]) == ("Succeeded", "Succeeded")
    assert gpus(stage_pods(workspace)[0]) == [None]


def test_preparing_asks_for_none(failed_job: Json, workspace: Workspace) -> None:
    pods = workspace.get("pods")["items"]
    prepare = [
        pod for pod in pods if pod["metadata"]["name"] not in {p["metadata"]["name"] for p in stage_pods(workspace)}
    ]
    assert [gpus(pod) for pod in prepare] == [[None]]


def test_without_a_device_the_runner_says_so_and_what_to_do(failed_job: Json) -> None:
    failure = failed_job["status"]["failure"]
    assert failure["reason"] == "AcceleratorUnavailable"
    assert failure["path"] == "spec.systems[1].accelerator"
    assert failure["pass"] == "tune-more"
    assert failure["remedy"]


def test_a_missing_device_is_not_tried_again(failed_job: Json, workspace: Workspace) -> None:
    assert [gpus(pod) for pod in stage_pods(workspace)].count(["1"]) == 1


def test_prometheus_is_told_of_the_accelerators_time_and_of_the_failure(
    failed_job: Json, cluster: Cluster, workspace: Workspace
) -> None:
    figures = Figures(cluster)
    held = failed_job["status"]["acceleratorSeconds"]
    assert held >= 1
    assert figures.value("accelerator_seconds_total", namespace=workspace.namespace) == held
    assert figures.value("jobs_failed_total", reason="AcceleratorUnavailable") >= 1
    assert figures.value("jobs", namespace=workspace.namespace, phase="Failed") == 1
