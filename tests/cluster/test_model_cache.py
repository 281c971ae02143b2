"""A claim that a system mounts keeps the weights of a model from the hub for the next pod."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_workspace import Workspace
from hub_server import Hub, running_hub

Json = dict[str, Any]
CLAIM, PLACE = "models", "/var/cache/huggingface"
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def hub(workspace: Workspace, tiny_model: Path) -> Iterator[Hub]:
    with running_hub(workspace.cluster.environment["HOST_IP"]) as server:
        server.repository("team/tiny").commit({file.name: file.read_bytes() for file in tiny_model.iterdir()})
        yield server


@pytest.fixture(scope="module")
def folder(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The volume's, seen from the machine."""
    made = tmp_path_factory.mktemp("cache")
    name = f"{CLAIM}-{workspace.namespace}"
    for document in manifests.local_volume(name, CLAIM, made, mode="ReadWriteMany"):
        workspace.apply_document(document)
    yield made
    workspace.cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


@pytest.mark.faults  # not one, but two stages take longer than `make test` has time for
def test_two_stages_download_the_weights_once(workspace: Workspace, hub: Hub, folder: Path) -> None:
    systems = [with_cache(manifests.system(name)) for name in ("cpu", "other")]
    passes = [manifests.lora(max_steps=2, system="cpu"), manifests.merge(system="other")]
    source = {"huggingFace": {"repo": "team/tiny", "endpoint": hub.endpoint}}
    workspace.apply("kept", workspace.spec("kept", passes, systems) | {"inputModel": {"source": source}})
    workspace.completed("kept")
    assert len(workspace.stage_pods("kept")) == len(systems)
    assert hub.sent.count(WEIGHTS) == 1
    assert list(folder.glob(f"models--team--tiny/snapshots/*/{WEIGHTS}"))


def with_cache(system: Json) -> Json:
    """What the chart's modelCache gives every system."""
    claim = {"name": CLAIM, "mountPath": PLACE, "readOnly": False, "persistentVolumeClaim": {"claimName": CLAIM}}
    variable = {"name": "HF_HUB_CACHE", "value": PLACE}
    return system | {"env": [*system["env"], variable], "volumes": [*system["volumes"], claim]}
