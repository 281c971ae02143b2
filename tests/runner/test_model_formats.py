"""Base models in other formats: each becomes the same model that its safetensors are, once, and then all passes run."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from base_models import converted, logits, refused, tokens
from finetune_api.failures import FineTuneError
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from tiny_gguf import write_gguf

pytestmark = pytest.mark.usefixtures("builder_here")

TUNE = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2}}}
MERGE = {"name": "merge", "mergeAdapterWeights": {}}
INT4 = {"name": "int4", "modelBuilder": {"algorithm": "rtn"}}


class ModelPlace:
    """A place whose base model is what a test puts there."""

    def __init__(self, place) -> None:
        self.place = place

    def put(self, folder: Path) -> None:
        for key in self.place.bucket.object_keys("base/"):
            self.place.bucket.delete(key)
        self.place.bucket.upload(folder, "base")

    def prepared(self, *passes, **model):
        source = {"s3": self.place.bucket.location("base")}
        spec = self.place.spec(passes=list(passes), inputModel={"source": source, **model}, output=None)
        if passes[-1] is INT4:
            spec["output"] = {"s3": self.place.bucket.location("out")}
        prepare(self.place.job(spec), Outcome(kind="prepare"))
        return spec

    def run(self, *passes, **model):
        """The whole job; what its last word says of each pass."""
        spec = self.prepared(*passes, **model)
        outcome = Outcome(kind="stage")
        run_stage(self.place.job(spec), 0, outcome, ProgressState())
        assert all(step.digest for step in outcome.message(None, first=frozenset()).passes)
        return self.place.layout.work


@pytest.fixture
def model_place(place):
    return ModelPlace(place)


class TestGguf:
    def test_it_is_tuned_merged_and_exported_and_converted_once(self, model_place, tiny_phi3, tmp_path, caplog):
        caplog.set_level(logging.INFO)
        write_gguf(tiny_phi3, tmp_path / "gguf/q8/model.gguf", quantised=True)
        write_gguf(tiny_phi3, tmp_path / "gguf/f32/model.gguf")
        model_place.put(tmp_path / "gguf")

        model_place.run(TUNE, MERGE, INT4, ggufFile="q8/model.gguf")

        assert "converting gguf to safetensors, once" in caplog.text
        assert "out/model.onnx" in model_place.place.bucket.object_keys("out/")

        caplog.clear()
        model_place.place = model_place.place.another()
        qlora = {"name": "tune", "qlora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2}}}
        work = model_place.run(qlora, MERGE, ggufFile="q8/model.gguf")

        assert "converted before, reused" in caplog.text
        assert (work / "passes/tune/adapter_config.json").is_file()
        assert not list((work / "base").glob("*.gguf"))

    def test_which_of_several_files_has_to_be_said(self, model_place, tmp_path):
        for name in ("a.gguf", "b.gguf", "mmproj-c.gguf"):
            (tmp_path / "several").mkdir(exist_ok=True)
            (tmp_path / "several" / name).write_bytes(b"GGUF")
        model_place.put(tmp_path / "several")
        assert refused(model_place.prepared, TUNE).remedy == "Set ggufFile to one of a.gguf, b.gguf."


@pytest.fixture
def mlflow_model(tiny_phi3, tmp_path, monkeypatch):
    """A directory that MLflow itself has written."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/runs")
    from mlflow.transformers import save_model

    parts = {
        "model": AutoModelForCausalLM.from_pretrained(tiny_phi3),
        "tokenizer": AutoTokenizer.from_pretrained(tiny_phi3),
    }
    # What it would find out by itself asks for torchvision.
    save_model(parts, path=tmp_path / "mlflow", task="text-generation", pip_requirements=["transformers"])
    return tmp_path / "mlflow"


class TestMlflow:
    def test_what_mlflow_has_written_is_tuned_merged_and_exported(self, model_place, mlflow_model, tiny_phi3):
        model_place.put(mlflow_model)

        base = model_place.run(TUNE, MERGE, INT4) / "base"

        assert torch.equal(logits(base), logits(tiny_phi3))
        assert tokens(base) == tokens(tiny_phi3)
        assert (base / "LICENSE.txt").is_file()
        assert "out/model.onnx" in model_place.place.bucket.object_keys("out/")

    def test_without_its_mlmodel_file_it_is_not_taken_for_one(self, model_place, mlflow_model):
        (mlflow_model / "MLmodel").unlink()
        model_place.put(mlflow_model)
        with pytest.raises(FineTuneError, match="has no file MLmodel") as caught:
            model_place.prepared(TUNE, format="mlflow")
        assert caught.value.path == "spec.inputModel.format"


class Harmful:
    """Unpickled it would create a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def pickled(original: Path, folder: Path, shards: int) -> Path:
    """The model's directory with pickled weights."""
    shutil.copytree(original, folder)
    (folder / "model.safetensors").unlink()
    weights = load_file(original / "model.safetensors")
    if shards == 1:
        torch.save(weights, folder / "pytorch_model.bin")
        return folder
    names = {name: f"pytorch_model-{index % shards + 1:05}-of-{shards:05}.bin" for index, name in enumerate(weights)}
    for shard in set(names.values()):
        torch.save({name: weights[name] for name in weights if names[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


class TestPickles:
    @pytest.mark.parametrize("shards", [1, 3])
    def test_allowed_they_are_tuned_and_merged_as_their_safetensors_would_be(
        self, model_place, shards, tiny_phi3, tmp_path
    ):
        model_place.put(pickled(tiny_phi3, tmp_path / "pickled", shards))

        base = model_place.run(TUNE, MERGE, allowPickle=True) / "base"

        assert torch.equal(logits(base), logits(tiny_phi3))
        assert not list(base.glob("pytorch_model*"))

    def test_a_converted_model_that_was_damaged_in_the_store_is_converted_anew(
        self, model_place, tiny_phi3, tmp_path, caplog
    ):
        model_place.put(pickled(tiny_phi3, tmp_path / "pickled", 1))
        model_place.run(TUNE, allowPickle=True)
        bucket = model_place.place.bucket
        [weights] = [key for key in bucket.object_keys("store/") if key.endswith("/model.safetensors")]
        bucket.put(weights, b"x" * (tiny_phi3 / "model.safetensors").stat().st_size)

        model_place.place = model_place.place.another()
        other = {"name": "tune", "lora": {"r": 2, "trainData": "tones", "training": {"maxSteps": 1}}}
        base = model_place.run(other, allowPickle=True) / "base"

        assert "not what was committed; converting it anew" in caplog.text
        assert torch.equal(logits(base), logits(tiny_phi3))

    def test_they_are_refused_unless_allowed(self, model_place, tiny_phi3, tmp_path):
        model_place.put(pickled(tiny_phi3, tmp_path / "pickled", 1))
        error = refused(model_place.prepared, TUNE)
        assert "pickled weights only" in error.message
        assert error.path == "spec.inputModel.allowPickle"

    def test_also_allowed_a_file_that_holds_more_than_weights_is_refused_and_runs_nothing(self, tiny_phi3, tmp_path):
        folder = pickled(tiny_phi3, tmp_path / "pickled", 1)
        torch.save({"weight": Harmful(tmp_path / "harm")}, folder / "pytorch_model.bin")
        error = refused(converted, "pickle", folder, tmp_path / "made")
        assert "holds more than weights" in error.message
        assert not (tmp_path / "harm").exists()

    @pytest.mark.parametrize("kind", ["safetensors", "bin"])
    def test_a_missing_shard_is_named_by_prepare(self, model_place, kind, tiny_phi3, tmp_path):
        folder = pickled(tiny_phi3, tmp_path / "pickled", 3)
        missing = "pytorch_model-00002-of-00003.bin"
        if kind == "safetensors":
            shutil.rmtree(folder)
            AutoModelForCausalLM.from_pretrained(tiny_phi3).save_pretrained(folder, max_shard_size="100KB")
            shutil.copyfile(tiny_phi3 / "tokenizer.json", folder / "tokenizer.json")
            missing = sorted(file.name for file in folder.glob("*.safetensors"))[1]
        (folder / missing).unlink()
        model_place.put(folder)
        assert f"lacks {missing}, which" in refused(lambda: model_place.prepared(TUNE, allowPickle=True)).message
