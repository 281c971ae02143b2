"""Where models and rows come from: pinned once, and later found as they were, or not at all."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataSource
from finetune_api.resource.input_model import ModelSource
from finetune_runner.sources import rows
from finetune_runner.sources.opening import open_source
from hub_server import TOKEN
from runner_place import TONES, jsonl

PATH = "spec.dataConfigs[0].source"
ROWS = jsonl(TONES)


def data(place, **source):
    return open_source(DataSource.model_validate(source), kind="dataset", layout=place.layout, path=PATH)


def fetched(source, pinned, target):
    source.fetch(pinned, pinned.files, target)
    return {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}


def refused(call, *arguments) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        call(*arguments)
    return caught.value


class TestBucket:
    def test_one_object_is_pinned_whatever_its_name(self, place, tmp_path):
        place.bucket.put("deep/rows.txt", ROWS)
        source = data(place, s3=place.bucket.location("deep/rows.txt"))
        assert fetched(source, source.resolve(rows.is_wanted), tmp_path / "to") == {"rows.txt": ROWS}

    def test_a_prefix_gives_the_files_of_rows_below_it(self, place, tmp_path):
        for key in ("set/a.jsonl", "set/more/b.json", "set/README.md", "settings.json"):
            place.bucket.put(key, key)
        source = data(place, s3=place.bucket.location("set"))
        found = fetched(source, source.resolve(rows.is_wanted), tmp_path / "to")
        assert found == {"a.jsonl": "set/a.jsonl", "more/b.json": "set/more/b.json"}

    def test_the_digest_follows_the_content(self, place):
        source = data(place, s3=place.bucket.location("tones.jsonl"))
        first = source.resolve(rows.is_wanted).digest
        assert source.resolve(rows.is_wanted).digest == first
        place.bucket.put("tones.jsonl", ROWS + "\n")
        assert source.resolve(rows.is_wanted).digest != first

    def test_an_object_that_changed_after_it_was_pinned_is_refused(self, place, tmp_path):
        source = data(place, s3=place.bucket.location("tones.jsonl"))
        pinned = source.resolve(rows.is_wanted)
        place.bucket.put("tones.jsonl", ROWS.upper())
        error = refused(source.fetch, pinned, pinned.files, tmp_path / "to")
        assert error.reason is Reason.DATASET_INVALID
        assert "has changed since the job was prepared" in error.message
        assert error.path == f"{PATH}.s3.uri"


class TestVolume:
    def folder(self, place):
        folder = place.layout.volumes / "claim/set"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text(ROWS)
        return folder

    def test_a_folders_files_are_pinned_and_copied(self, place, tmp_path):
        self.folder(place)
        source = data(place, volume={"claimName": "claim", "path": "set"})
        assert fetched(source, source.resolve(rows.is_wanted), tmp_path / "to") == {"a.jsonl": ROWS}

    def test_a_file_that_changed_after_it_was_pinned_is_refused(self, place, tmp_path):
        folder = self.folder(place)
        source = data(place, volume={"claimName": "claim", "path": "set/a.jsonl"})
        pinned = source.resolve(rows.is_wanted)
        (folder / "a.jsonl").write_text(ROWS.upper())
        assert "has changed" in refused(source.fetch, pinned, pinned.files, tmp_path / "to").message

    def test_a_path_that_is_not_there_is_named(self, place):
        self.folder(place)
        error = refused(data(place, volume={"claimName": "claim", "path": "no"}).resolve, rows.is_wanted)
        assert error.reason is Reason.DATASET_INVALID
        assert error.path == f"{PATH}.volume.path"


class TestConfigMap:
    def source(self, place):
        return data(place, configMap={"name": "tones", "key": "rows.jsonl"})

    def test_a_key_is_a_file(self, place, tmp_path):
        (place.layout.config_maps / "tones").mkdir(parents=True)
        (place.layout.config_maps / "tones/rows.jsonl").write_text(ROWS)
        source = self.source(place)
        assert fetched(source, source.resolve(rows.is_wanted), tmp_path / "to") == {"rows.jsonl": ROWS}

    def test_a_missing_config_map_is_named(self, place):
        error = refused(self.source(place).resolve, rows.is_wanted)
        assert "there is no config map 'tones'" in error.message
        assert error.path == f"{PATH}.configMap"

    def test_a_missing_key_is_named(self, place):
        (place.layout.config_maps / "tones").mkdir(parents=True)
        (place.layout.config_maps / "tones/other.jsonl").write_text(ROWS)
        assert "has no key 'rows.jsonl'" in refused(self.source(place).resolve, rows.is_wanted).message


class TestHub:
    def source(self, place, hub, **more):
        return data(place, huggingFace={"repo": "team/tones", "endpoint": hub.endpoint, **more})

    def model(self, place, hub, **more):
        wire = {"huggingFace": {"repo": "team/phi", "endpoint": hub.endpoint, **more}}
        path = "spec.inputModel.source"
        return open_source(ModelSource.model_validate(wire), kind="model", layout=place.layout, path=path)

    def test_a_branch_is_pinned_to_its_commit(self, place, hub, tmp_path):
        repository = hub.repository("team/tones", "dataset")
        sha = repository.commit({"a.jsonl": ROWS.encode(), "README.md": b"text"})
        source = self.source(place, hub)
        pinned = source.resolve(rows.is_wanted)
        repository.commit({"a.jsonl": b"newer"})

        assert pinned.revision == sha
        assert fetched(source, pinned, tmp_path / "to") == {"a.jsonl": ROWS}

    def test_a_private_repository_is_read_with_its_token(self, place, hub):
        hub.repository("team/phi", private=True).commit({"config.json": b"{}"})
        place.secret("hf", token=TOKEN)
        source = self.model(place, hub, tokenSecretRef={"name": "hf", "key": "token"})
        assert [file.path for file in source.resolve(lambda _: True).files] == ["config.json"]

    def test_a_wrong_token_is_denied(self, place, hub):
        hub.repository("team/phi").commit({"config.json": b"{}"})
        place.secret("hf", token="hf_wrong")
        error = refused(self.model(place, hub, tokenSecretRef={"name": "hf", "key": "token"}).resolve, bool)
        assert error.reason is Reason.AUTH_DENIED
        assert error.path == "spec.inputModel.source.huggingFace.tokenSecretRef"

    def test_a_missing_repository_is_named(self, place, hub):
        error = refused(self.model(place, hub).resolve, bool)
        assert error.reason is Reason.MODEL_NOT_FOUND
        assert "'team/phi'" in error.message
        assert error.path == "spec.inputModel.source.huggingFace.repo"

    def test_a_missing_revision_is_named(self, place, hub):
        hub.repository("team/phi").commit({"config.json": b"{}"})
        error = refused(self.model(place, hub, revision="v9").resolve, bool)
        assert error.reason is Reason.MODEL_NOT_FOUND
        assert error.path == "spec.inputModel.source.huggingFace.revision"

    def test_a_gated_repository_is_denied_when_its_files_are_asked_for(self, place, hub, tmp_path):
        hub.repository("team/phi", gated=True).commit({"config.json": b"{}"})
        source = self.model(place, hub)
        pinned = source.resolve(bool)
        error = refused(source.fetch, pinned, pinned.files, tmp_path / "to")
        assert error.reason is Reason.AUTH_DENIED
        assert "access is restricted" in error.message

    def test_a_hub_that_cannot_be_reached_is_worth_a_retry(self, place, hub):
        hub.broken = True
        assert refused(self.model(place, hub).resolve, bool).reason is Reason.HUB_UNAVAILABLE

    def test_an_address_without_a_hub_is_worth_a_retry(self, place, hub):
        source = self.model(place, hub, endpoint="http://127.0.0.1:9")
        assert refused(source.resolve, bool).reason is Reason.HUB_UNAVAILABLE

    def test_a_repository_without_the_files_that_are_needed_is_named(self, place, hub):
        hub.repository("team/tones", "dataset").commit({"README.md": b"text"})
        error = refused(self.source(place, hub).resolve, rows.is_wanted)
        assert error.reason is Reason.DATASET_INVALID
