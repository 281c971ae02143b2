"""Where models and rows come from: pinned once, and later found as they were, or not at all."""

from http import HTTPStatus

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataConfig, DataSource
from finetune_api.resource.input_model import ModelSource
from finetune_runner.sources.opening import open_rows, open_source
from finetune_runner.sources.selection import check_files, wanted_files
from finetune_runner.store.object_store import ObjectInfo
from hub_server import TOKEN
from runner_place import TONES, data_config, jsonl

PATH = "spec.dataConfigs[0].source"
ROWS = jsonl(TONES)
CONFIG_PATH = "spec.dataConfigs[0]"


def config(**fields):
    return DataConfig.model_validate(data_config({"configMap": {"name": "x", "key": "x"}}, **fields))


rows_of = wanted_files(config())


def found(place, source, **fields):
    """The files that a data config reads."""
    chosen = DataConfig.model_validate(data_config(source, **fields))
    pinned = open_rows(chosen, layout=place.layout, path=CONFIG_PATH).resolve(wanted_files(chosen))
    check_files(pinned, chosen, CONFIG_PATH)
    return [file.path for file in pinned.files]


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
        assert fetched(source, source.resolve(rows_of), tmp_path / "to") == {"rows.txt": ROWS}

    def test_a_prefix_gives_the_files_of_rows_below_it(self, place, tmp_path):
        for key in ("set/a.jsonl", "set/more/b.json", "set/README.md", "settings.json"):
            place.bucket.put(key, key)
        source = data(place, s3=place.bucket.location("set"))
        found = fetched(source, source.resolve(rows_of), tmp_path / "to")
        assert found == {"a.jsonl": "set/a.jsonl", "more/b.json": "set/more/b.json"}

    def test_files_are_chosen_by_glob_by_format_or_as_what_is_known(self, place):
        for key in ("a.jsonl", "deep/b.json", "c.csv", "d.tsv", "dataset_info.json", ".hidden/e.csv"):
            place.bucket.put(f"set/{key}", key)
        source = {"s3": place.bucket.location("set")}
        assert found(place, source, files=["*.csv", "**/*.tsv", ".hidden/*"]) == [".hidden/e.csv", "c.csv", "d.tsv"]
        assert found(place, source, format="csv") == ["c.csv"]
        assert found(place, source, format="jsonl") == ["a.jsonl", "deep/b.json"]
        assert refused(found, place, source).remedy == "Set format, or choose by files."

    def test_globs_that_match_nothing_and_globs_for_a_file_are_refused(self, place):
        place.bucket.put("set/a.csv", "x")
        error = refused(lambda: found(place, {"s3": place.bucket.location("set")}, files=["*.x"]))
        assert "none of the files at" in error.message
        error = refused(lambda: found(place, {"s3": place.bucket.location("set/a.csv")}, files=["*.csv"]))
        assert (error.reason, error.path) == (Reason.INVALID_SPEC, f"{CONFIG_PATH}.files")

    @pytest.mark.parametrize("key", ["set//b.jsonl", "set/x//a.jsonl", "set/./a.jsonl"])
    def test_an_object_that_would_have_no_file_of_its_own_is_refused_where_it_is_wanted(self, place, monkeypatch, key):
        """As a doubled slash makes them. The server of these tests can't hold such."""
        place.bucket.put("set/a.jsonl", ROWS)
        source = data(place, s3=place.bucket.location("set"))
        more = [ObjectInfo(key=name, size=1, etag="x") for name in ("set/x/a.jsonl", key)]
        listed = [*source.store.list("set/"), *more]
        monkeypatch.setattr(source.store, "list", lambda _: iter(listed))
        error = refused(source.resolve, rows_of)
        assert (error.reason, error.path) == (Reason.DATASET_INVALID, f"{PATH}.s3.uri")
        assert key.removeprefix("set/") in error.message
        assert source.resolve("a.jsonl".__eq__).files

    def test_the_digest_follows_the_content(self, place):
        source = data(place, s3=place.bucket.location("tones.jsonl"))
        first = source.resolve(rows_of).digest
        assert source.resolve(rows_of).digest == first
        place.bucket.put("tones.jsonl", ROWS + "\n")
        assert source.resolve(rows_of).digest != first

    def test_an_object_that_changed_after_it_was_pinned_is_refused(self, place, tmp_path):
        source = data(place, s3=place.bucket.location("tones.jsonl"))
        pinned = source.resolve(rows_of)
        place.bucket.put("tones.jsonl", ROWS.upper())
        error = refused(source.fetch, pinned, pinned.files, tmp_path / "to")
        assert error.reason is Reason.DATASET_INVALID
        assert "has changed since the job was prepared" in error.message
        assert error.path == f"{PATH}.s3.uri"

    def test_a_files_beginning_is_read_as_it_stood_or_not_at_all(self, place):
        place.bucket.put("gguf/phi.gguf", "GGUF and more")
        wire = {"s3": place.bucket.location("gguf/phi.gguf")}
        path = "spec.inputModel.source"
        source = open_source(ModelSource.model_validate(wire), kind="model", layout=place.layout, path=path)
        assert source.names() == ["phi.gguf"]
        pinned = source.resolve("phi.gguf".__eq__)
        assert source.read(pinned, pinned.files[0], 4) == b"GGUF"
        place.bucket.put("gguf/phi.gguf", "GGUF and less")
        error = refused(source.read, pinned, pinned.files[0], 4)
        assert error.reason is Reason.MODEL_NOT_FOUND
        assert "has changed since the job was prepared" in error.message


class TestVolume:
    def folder(self, place):
        folder = place.layout.volumes / "claim/set"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text(ROWS)
        return folder

    def test_a_folders_files_are_pinned_and_copied(self, place, tmp_path):
        self.folder(place)
        source = data(place, volume={"claimName": "claim", "path": "set"})
        assert fetched(source, source.resolve(rows_of), tmp_path / "to") == {"a.jsonl": ROWS}

    def test_a_file_that_changed_after_it_was_pinned_is_refused(self, place, tmp_path):
        folder = self.folder(place)
        source = data(place, volume={"claimName": "claim", "path": "set/a.jsonl"})
        pinned = source.resolve(rows_of)
        (folder / "a.jsonl").write_text(ROWS.upper())
        assert "has changed" in refused(source.fetch, pinned, pinned.files, tmp_path / "to").message

    def test_a_files_beginning_is_read(self, place):
        self.folder(place)
        source = data(place, volume={"claimName": "claim", "path": "set"})
        assert source.names() == ["a.jsonl"]
        pinned = source.resolve(rows_of)
        assert source.read(pinned, pinned.files[0], 5) == ROWS.encode()[:5]

    def test_a_path_that_is_not_there_is_named(self, place):
        self.folder(place)
        error = refused(data(place, volume={"claimName": "claim", "path": "no"}).resolve, rows_of)
        assert error.reason is Reason.DATASET_INVALID
        assert error.path == f"{PATH}.volume.path"


class TestConfigMap:
    def source(self, place):
        return data(place, configMap={"name": "tones", "key": "rows.jsonl"})

    def test_a_key_is_a_file(self, place, tmp_path):
        (place.layout.config_maps / "tones").mkdir(parents=True)
        (place.layout.config_maps / "tones/rows.jsonl").write_text(ROWS)
        source = self.source(place)
        assert fetched(source, source.resolve(rows_of), tmp_path / "to") == {"rows.jsonl": ROWS}

    def test_a_missing_config_map_is_named(self, place):
        error = refused(self.source(place).resolve, rows_of)
        assert "there is no config map 'tones'" in error.message
        assert error.path == f"{PATH}.configMap"

    def test_a_missing_key_is_named(self, place):
        (place.layout.config_maps / "tones").mkdir(parents=True)
        (place.layout.config_maps / "tones/other.jsonl").write_text(ROWS)
        assert "has no key 'rows.jsonl'" in refused(self.source(place).resolve, rows_of).message


class TestInline:
    @pytest.mark.parametrize(
        ("text", "name"), [('{"x": 1}', "inline.jsonl"), (' [{"x": 1}]', "inline.json"), ("x\n1", "inline.csv")]
    )
    def test_the_text_is_a_file_whose_format_its_beginning_tells(self, place, tmp_path, text, name):
        chosen = DataConfig.model_validate(data_config({"inline": {"text": text}}))
        source = open_rows(chosen, layout=place.layout, path=CONFIG_PATH)
        assert fetched(source, source.resolve(rows_of), tmp_path / "to") == {name: text}


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
        pinned = source.resolve(rows_of)
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

    def test_a_files_beginning_is_read_as_it_stood_also_where_the_server_heeds_no_range(self, place, hub):
        repository = hub.repository("team/phi", private=True)
        repository.commit({"phi.gguf": b"GGUF and more", "README.md": b"text"})
        place.secret("hf", token=TOKEN)
        source = self.model(place, hub, tokenSecretRef={"name": "hf", "key": "token"})
        assert sorted(source.names()) == ["README.md", "phi.gguf"]
        pinned = source.resolve("phi.gguf".__eq__)
        repository.commit({"phi.gguf": b"another"})
        assert source.read(pinned, pinned.files[0], 4) == b"GGUF"
        assert source.read(pinned, pinned.files[0], 100) == b"GGUF and more"

    def test_a_hub_that_fails_is_worth_a_retry(self, place, hub):
        hub.refusals = [(HTTPStatus.INTERNAL_SERVER_ERROR, {})]
        assert refused(self.model(place, hub).resolve, bool).reason is Reason.HUB_UNAVAILABLE

    def test_an_address_without_a_hub_is_worth_a_retry(self, place, hub):
        source = self.model(place, hub, endpoint="http://127.0.0.1:9")
        assert refused(source.resolve, bool).reason is Reason.HUB_UNAVAILABLE

    def test_a_repository_without_the_files_that_are_needed_is_named(self, place, hub):
        hub.repository("team/tones", "dataset").commit({"README.md": b"text"})
        error = refused(self.source(place, hub).resolve, rows_of)
        assert error.reason is Reason.DATASET_INVALID

    def test_split_and_subset_choose_the_files_that_the_readme_declares(self, place, hub, tmp_path):
        readme = (
            b"---\nconfigs:\n- {config_name: en, data_files: en.csv}\n"
            b"- config_name: de\n  data_files: [{split: train, path: de.csv}, {split: held, path: 'more/*.csv'}]\n---\n"
        )
        files = {"README.md": readme, "en.csv": b"x", "de.csv": b"x", "more/a.csv": b"x"}
        hub.repository("team/tones", "dataset").commit(files)
        source = {"huggingFace": {"repo": "team/tones", "endpoint": hub.endpoint, "subset": "de"}}
        assert found(place, source) == ["de.csv"]
        assert found(place, source, split="held") == ["more/a.csv"]

        del source["huggingFace"]["subset"]
        error = refused(lambda: found(place, source))
        assert (error.reason, error.path) == (Reason.DATASET_INVALID, f"{CONFIG_PATH}.source.huggingFace.subset")
        assert found(place, source, files=["**/*.csv"]) == ["en.csv", "de.csv", "more/a.csv"]

    def test_without_a_readme_names_choose_and_the_splits_there_are_get_named(self, place, hub):
        hub.repository("team/tones", "dataset").commit({"train.csv": b"x", "test.csv": b"x", "notes.txt": b"x"})
        source = {"huggingFace": {"repo": "team/tones", "endpoint": hub.endpoint}}
        assert found(place, source) == ["train.csv"]
        assert found(place, source, split="test") == ["test.csv"]
        error = refused(lambda: found(place, source, split="dev"))
        assert (error.path, error.remedy) == (f"{CONFIG_PATH}.split", "The splits there are: train, test.")

    def test_other_splits_are_other_data(self, place, hub):
        hub.repository("team/tones", "dataset").commit({"train.csv": b"x", "test.csv": b"y"})
        source = {"huggingFace": {"repo": "team/tones", "endpoint": hub.endpoint}}
        configs = [DataConfig.model_validate(data_config(source, split=split)) for split in ("train", "test")]
        sources = [open_rows(one, layout=place.layout, path=CONFIG_PATH) for one in configs]
        assert len({source.resolve(rows_of).digest for source in sources}) == 2
