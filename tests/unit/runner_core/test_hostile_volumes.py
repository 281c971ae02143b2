"""Who may write to a volume decides what its names lead to: never to what the pod has besides."""

import json
from pathlib import Path

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import ConfigMapKey, VolumeLocation
from finetune_runner.layout import PodLayout
from finetune_runner.sources.folder import config_map_source, volume_source
from finetune_runner.store.commit import Cache
from finetune_runner.store.volume import VolumeStore

CLAIM = "shared"
PLACE = "spec.dataConfigs[0].source.volume"


@pytest.fixture
def pod(tmp_path: Path) -> PodLayout:
    """A pod with a volume, and with a secret that the volume's writers do not know."""
    layout = PodLayout.under(tmp_path)
    (layout.volumes / CLAIM / "rows").mkdir(parents=True)
    (layout.volumes / CLAIM / "rows" / "a.jsonl").write_text("{}")
    (layout.secrets / "s3").mkdir(parents=True)
    (layout.secrets / "s3" / "AWS_SECRET_ACCESS_KEY").write_text("hunter2")
    return layout


def refused(call, *arguments) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    return caught.value


def rows(pod: PodLayout, path: str = "rows"):
    return volume_source(VolumeLocation(claim_name=CLAIM, path=path), kind="dataset", layout=pod, path=PLACE)


def store(pod: PodLayout) -> VolumeStore:
    return VolumeStore(mount=pod.volumes / CLAIM, folder="store", claim=CLAIM, path="spec.store.volume")


@pytest.mark.parametrize("link", ["rows/secret.jsonl", "rows/all"])
def test_a_link_to_the_pods_secrets_is_not_read_as_rows(pod, link):
    (pod.volumes / CLAIM / link).symlink_to(pod.secrets / "s3" / "AWS_SECRET_ACCESS_KEY")
    error = refused(rows(pod).resolve, lambda _: True)
    assert error.reason is Reason.INVALID_SPEC
    assert link in error.message
    assert "hunter2" not in str(error)


def test_a_folder_that_is_a_link_to_the_pods_secrets_is_not_read(pod):
    (pod.volumes / CLAIM / "inside").symlink_to(pod.secrets / "s3", target_is_directory=True)
    assert refused(rows(pod, "inside").resolve, lambda _: True).reason is Reason.INVALID_SPEC


def test_a_link_within_its_volume_is_followed(pod):
    """As the hub's cache has them, and every config map."""
    (pod.volumes / CLAIM / "rows" / "b.jsonl").symlink_to("a.jsonl")
    assert [file.path for file in rows(pod).resolve(lambda _: True).files] == ["a.jsonl", "b.jsonl"]


def test_a_config_map_is_read_as_the_kubelet_mounts_it(pod):
    folder = pod.config_maps / "rows"
    (folder / "..2026").mkdir(parents=True)
    (folder / "..2026" / "a.jsonl").write_text("{}")
    (folder / "..data").symlink_to("..2026")
    (folder / "a.jsonl").symlink_to("..data/a.jsonl")
    source = config_map_source(ConfigMapKey(name="rows", key="a.jsonl"), layout=pod, path=PLACE)
    assert source.names() == ["a.jsonl"]


def test_a_store_writes_and_reads_nothing_through_a_link_out_of_its_volume(pod):
    (pod.volumes / CLAIM / "store").mkdir()
    (pod.volumes / CLAIM / "store" / "team").symlink_to(pod.secrets, target_is_directory=True)
    for call in (store(pod).head, store(pod).get, store(pod).delete):
        assert refused(call, "team/s3/AWS_SECRET_ACCESS_KEY").reason is Reason.INVALID_SPEC
    assert refused(store(pod).put, "team/s3/new", b"x").reason is Reason.INVALID_SPEC
    assert sorted(path.name for path in (pod.secrets / "s3").iterdir()) == ["AWS_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize("change", [{"attempt": "../../../other/cache/k/attempts/pod-1"}, {"attempt": ".."}])
def test_a_manifest_that_names_files_of_another_namespace_does_not_count(pod, tmp_path, change):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "weights").write_text("w")
    cache = Cache(store(pod), "team")
    made, _ = cache.commit(
        *("k", tmp_path / "output"),
        attempt="pod-1",
        kind="lora",
        pass_version=1,
        inputs={},
        metrics={},
        libraries={},
    )
    assert cache.find("k", {}) == made
    store(pod).put("team/cache/k/manifest.json", json.dumps(json.loads(made.encode()) | change).encode())
    assert cache.find("k", {}) is None
