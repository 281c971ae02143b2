"""A pass of a third party's package: prepared in the image that has it, and run in a pod as hardened as any other.

The thin runner's image has no packages; they come from a volume, as its environment does.
"""

from collections.abc import Iterator
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_workspace import Workspace
from plugin_packages import install_example, write_sample

Json = dict[str, Any]
CLAIM = "plugins"
PATH = "/opt/plugins"
OUR_CODE = "/opt/finetune/lib"
"""Where the images' PYTHONPATH leads."""


@pytest.fixture(scope="module")
def packages(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example's package and the sample's, in a volume."""
    folder = write_sample(install_example(tmp_path_factory.mktemp("packages")))
    name = f"{CLAIM}-{workspace.namespace}"
    for document in manifests.local_volume(name, CLAIM, folder, mode="ReadOnlyMany"):
        workspace.apply_document(document)
    yield
    workspace.cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


def spec_of(workspace: Workspace, name: str, plugin: Json, **step: Any) -> Json:
    system = manifests.system("cpu")
    system["volumes"].append({"name": "plugins", "mountPath": PATH, "persistentVolumeClaim": {"claimName": CLAIM}})
    system["env"].append({"name": "PYTHONPATH", "value": f"{OUR_CODE}:{PATH}"})
    passes = [manifests.lora(max_steps=2), {"name": "soup", "plugin": plugin, **step}]
    return workspace.spec(name, passes, [system]) | {"evaluators": []}


@pytest.fixture(scope="module")
def done(workspace: Workspace, packages: None) -> Json:
    """The job with the example's plugin, Complete."""
    workspace.apply("soup", spec_of(workspace, "soup", {"name": "wise-ft", "config": {"alpha": 0.25}}))
    workspace.completed("soup")
    return workspace.get("ftj", "soup")


def test_the_plugins_model_is_published_with_its_figure(done: Json, workspace: Workspace) -> None:
    step = done["status"]["passes"][1]
    assert step["state"] == "Succeeded"
    assert [figure["name"] for figure in step["metrics"]] == ["relativeChange"]
    assert float(step["metrics"][0]["value"]) > 0
    assert done["status"]["artifacts"][0]["format"] == "safetensors"


def test_the_api_server_keeps_its_config_and_lets_nobody_change_it(done: Json, workspace: Workspace) -> None:
    assert done["spec"]["passes"][1]["plugin"]["config"] == {"alpha": 0.25}
    for config in ({"alpha": 0.5}, {"beta": 0.25}, {}):
        changed = manifests.with_change(done["spec"], "passes.1.plugin.config", config)
        assert "passes is immutable" in workspace.try_apply("soup", changed)


def test_prepare_ran_in_the_plugins_image_and_is_hardened_as_the_stage_is(done: Json, workspace: Workspace) -> None:
    pods = {job["metadata"]["labels"]["finetune-operator.dev/kind"]: pod_of(job) for job in workspace.jobs("soup")}
    prepare, stage = pods["prepare"], pods["stage"]
    assert prepare["containers"][0]["image"] == stage["containers"][0]["image"]
    for pod in (prepare, stage):
        container = pod["containers"][0]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def pod_of(job: Json) -> Json:
    return job["spec"]["template"]["spec"]


def test_a_wrong_config_fails_in_prepare_with_its_place(workspace: Workspace, packages: None) -> None:
    workspace.apply("wrong", spec_of(workspace, "wrong", {"name": "wise-ft", "config": {"alhpa": 0.25}}))
    failure = workspace.failed("wrong")
    assert (failure["reason"], failure["path"]) == ("InvalidSpec", "spec.passes[1].plugin.config.alhpa")
    assert workspace.stage_jobs("wrong") == []


def test_an_exception_fails_the_job_with_the_plugins_name(workspace: Workspace, packages: None) -> None:
    workspace.apply("raises", spec_of(workspace, "raises", {"name": "raises"}, input="base"))
    failure = workspace.failed("raises")
    assert (failure["reason"], failure["exitCode"], failure["pass"]) == ("PluginFailed", 20, "soup")
    assert "plugin 'raises' (finetune-sample 1.2.3) failed: ValueError: no such layer" in failure["message"]
