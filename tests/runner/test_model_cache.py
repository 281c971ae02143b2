"""A volume that pods share keeps the weights of models from the hub; what is not the hub's is not taken from it."""

import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataSource
from finetune_api.resource.input_model import ModelSource
from finetune_runner.sources.opening import open_source
from hub_server import Hub
from runner_place import Place

WEIGHTS = b"the weights " * 1000
FILES = {"config.json": b'{"model_type": "phi3"}', "model.safetensors": WEIGHTS}
PATH = "spec.inputModel.source"


@dataclass
class Pods:
    """Pods that fetch one model, each into a folder of its own."""

    place: Place
    hub: Hub
    root: Path

    def fetch(self) -> dict[str, bytes]:
        """The model as the next pod gets it."""
        wire = {"huggingFace": {"repo": "team/phi", "endpoint": self.hub.endpoint}}
        source = open_source(ModelSource.model_validate(wire), kind="model", layout=self.place.layout, path=PATH)
        pinned = source.resolve(lambda _: True)
        target = self.root / uuid.uuid4().hex
        source.fetch(pinned, pinned.files, target)
        assert not any(file.is_symlink() for file in target.iterdir())
        return {file.name: file.read_bytes() for file in target.iterdir()}

    def downloads(self) -> int:
        """Of the weights."""
        return self.hub.sent.count("model.safetensors")


@pytest.fixture
def pods(place: Place, hub: Hub, tmp_path: Path) -> Pods:
    hub.repository("team/phi").commit(FILES)
    return Pods(place, hub, tmp_path / "pods")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))  # as the library reads it when a pod starts
    return folder


def cached(cache: Path, name: str = "model.safetensors") -> Path:
    """A file as the library finds it there."""
    (snapshot,) = cache.glob("models--team--phi/snapshots/*")
    return snapshot / name


def test_the_second_pod_downloads_no_weights(pods: Pods, cache: Path) -> None:
    assert pods.fetch() == FILES
    assert pods.fetch() == FILES
    assert pods.hub.sent == ["config.json", "model.safetensors", "config.json"]


def test_without_a_cache_each_pod_downloads_them(pods: Pods) -> None:
    assert pods.fetch() == pods.fetch() == FILES
    assert pods.downloads() == 2


@pytest.mark.parametrize("content", [b"WEIGHTS" + WEIGHTS[7:], WEIGHTS[:-1]], ids=["altered", "truncated"])
def test_weights_that_are_not_the_hubs_are_downloaded_anew(pods: Pods, cache: Path, content: bytes) -> None:
    pods.fetch()
    cached(cache).resolve().write_bytes(content)
    assert pods.fetch() == FILES
    assert pods.fetch() == FILES
    assert pods.downloads() == 2


def test_a_small_file_that_somebody_has_put_there_is_not_used(pods: Pods, cache: Path) -> None:
    pods.fetch()
    cached(cache, "config.json").write_text('{"auto_map": "somebody-elses.py"}')
    assert pods.fetch() == FILES


def test_a_link_out_of_the_cache_leads_nowhere(
    pods: Pods, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pods.fetch()
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * len(WEIGHTS))
    cached(cache).unlink()
    cached(cache).symlink_to(secret)
    with caplog.at_level(logging.WARNING):
        assert pods.fetch() == FILES
    assert secret.read_bytes() == b"x" * len(WEIGHTS)
    assert "is not what the hub has, and is not used" in caplog.text


def test_a_cache_that_can_not_be_written_is_done_without(
    pods: Pods, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert pods.fetch() == FILES
    assert "the model cache can't be used for model.safetensors" in caplog.text


def test_who_may_not_read_a_model_gets_none_of_it_though_its_weights_are_there(pods: Pods, cache: Path) -> None:
    pods.fetch()
    pods.hub.repository("team/phi").gated = True
    with pytest.raises(FineTuneError) as refused:
        pods.fetch()
    assert refused.value.reason is Reason.AUTH_DENIED


def test_rows_do_not_go_there(place: Place, hub: Hub, cache: Path, tmp_path: Path) -> None:
    hub.repository("team/tones", "dataset").commit({"rows.safetensors": b"rows"})
    wire = {"huggingFace": {"repo": "team/tones", "endpoint": hub.endpoint}}
    source = open_source(DataSource.model_validate(wire), kind="dataset", layout=place.layout, path=PATH)
    pinned = source.resolve(lambda _: True)
    source.fetch(pinned, pinned.files, tmp_path / "to")
    assert not cache.exists()
