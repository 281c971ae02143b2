"""Model, rows, store and output on a volume: no bucket at all."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cluster_manifests as manifests
from cluster_workspace import Workspace
from command_line import run_process
from signing_keys import new_key, private_pem, public_pem

Json = dict[str, Any]
CLAIM = "shelf"
SIGNER = "signer"


@pytest.fixture(scope="module")
def shelf(workspace: Workspace, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The volume's folder, seen from the machine, with the model and the rows in it."""
    folder = tmp_path_factory.mktemp("shelf")
    shutil.copytree(tiny_model, folder / "models" / "tiny")
    (folder / "train.jsonl").write_text(manifests.train_rows())
    name = f"{CLAIM}-{workspace.namespace}"
    for document in manifests.local_volume(name, CLAIM, folder, mode="ReadWriteMany"):
        workspace.apply_document(document)
    yield folder
    workspace.cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


@pytest.fixture(scope="module")
def public_key(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that checks what the key in Secret signer has signed."""
    folder, key = tmp_path_factory.mktemp("keys"), new_key()
    (folder / "key.pem").write_bytes(private_pem(key))
    (folder / "signer.pub").write_bytes(public_pem(key))
    workspace.kubectl("create", "secret", "generic", SIGNER, f"--from-file={folder / 'key.pem'}")
    return folder / "signer.pub"


@pytest.fixture(scope="module")
def status(workspace: Workspace, shelf: Path, public_key: Path) -> Json:
    """The status of the job, Complete."""
    passes = [manifests.lora(max_steps=2), manifests.merge()]
    spec = workspace.spec("shelved", passes) | {
        "inputModel": {"source": {"volume": {"claimName": CLAIM, "path": "models/tiny"}}},
        "dataConfigs": [manifests.data_config("tones", {"volume": {"claimName": CLAIM, "path": "train.jsonl"}})],
        "evaluators": [],
        "store": {"volume": {"claimName": CLAIM, "path": "store"}},
        "output": {
            "volume": {"claimName": CLAIM, "path": "published"},
            "signing": {"keySecretRef": {"name": SIGNER, "key": "key.pem"}},
        },
    }
    workspace.apply("shelved", spec)
    return workspace.completed("shelved")


def test_the_merged_model_is_published_on_the_volume(status: Json, shelf: Path) -> None:
    published = shelf / "published"
    assert (published / "model.safetensors").stat().st_size > 0
    assert (published / "manifest.json").is_file()


def test_every_pass_is_committed_on_the_volume(status: Json, shelf: Path, workspace: Workspace) -> None:
    cache = shelf / "store" / workspace.namespace / "cache"
    assert {path.parent.name for path in cache.glob("*/manifest.json")} == {
        step["cacheKey"] for step in status["passes"]
    }


def test_status_says_where_it_lies(status: Json) -> None:
    assert status["artifacts"][0]["uri"] == f"volume://{CLAIM}/published"
    assert status["artifacts"][0]["format"] == "safetensors"


def test_it_is_signed_with_the_key_that_no_pod_with_a_pass_has_mounted(
    status: Json, shelf: Path, public_key: Path, workspace: Workspace
) -> None:
    verified = run_process("verify", shelf / "published", "--public-key", public_key)
    assert (verified.code, verified.err) == (0, "")
    assert f"provenance: job {workspace.namespace}/shelved, " in verified.out
    assert "; signed by this key" in verified.out
    jobs = workspace.jobs("shelved")
    stages = [job["metadata"]["name"] for job in workspace.stage_jobs("shelved")]
    assert len(jobs) > len(stages) > 0
    assert [
        job["metadata"]["name"] for job in jobs if (SIGNER in _secrets(job)) == (job["metadata"]["name"] in stages)
    ] == []


def _secrets(job: Json) -> list[str]:
    volumes = job["spec"]["template"]["spec"]["volumes"]
    return [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
