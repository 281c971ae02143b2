"""The example's plugin, installed as a user would, in the whole chain and by itself."""

import importlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from command_line import run_process
from finetune_api import API_VERSION, KIND
from finetune_api.failures import EXIT_CODES, FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.plugin import Plugin
from finetune_runner.outcome import Outcome
from finetune_runner.passes.registry import run_pass
from finetune_runner.prepare import prepare
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from passes import Reported, inputs, lora, merge, tune
from plugin_packages import EXAMPLE, install_example, sample_plugins, write_sample
from runner_place import TEMPLATE, TONES, jsonl
from tiny_phi3 import make_tiny_phi3

__all__ = ["sample_plugins"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A folder with the example's package and the sample's."""
    return write_sample(install_example(tmp_path_factory.mktemp("packages")))


@pytest.fixture
def installed(packages, monkeypatch):
    """Both, in this process."""
    monkeypatch.syspath_prepend(str(packages))
    for name in [name for name in sys.modules if name.startswith(("finetune_wise_ft", "finetune_sample"))]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()


@dataclass(frozen=True)
class Desk:
    """A folder in which the example's job runs, with a tiny model and few rows in the places it names."""

    folder: Path

    def run(self, monkeypatch, packages, step=None, **plugin):
        manifest = yaml.safe_load((EXAMPLE / "job.yaml").read_text())
        assert (manifest["apiVersion"], manifest["kind"]) == (API_VERSION, KIND)
        spec = manifest["spec"]
        spec["inputModel"]["source"] = {"volume": {"claimName": "models", "path": "phi3"}}
        spec["dataConfigs"][0]["source"] = {"volume": {"claimName": "data", "path": "tones.jsonl"}}
        assert spec["dataConfigs"][0]["preprocess"]["textTemplate"] == TEMPLATE
        spec["passes"][0]["lora"]["training"] = {"maxSteps": 2}
        spec["passes"][1] |= step or {}
        spec["passes"][1]["plugin"] |= plugin
        spec["passes"][2]["modelBuilder"]["algorithm"] = "rtn"
        file = self.folder / "job.yaml"
        file.write_text(yaml.safe_dump(manifest))
        monkeypatch.setenv("PYTHONPATH", str(packages))
        mounts = [f"--mount={name}={self.folder / name}" for name in ("data", "models")]
        return run_process("run", file, f"--folder={self.folder / 'here'}", *mounts)

    def made(self, kind) -> list[dict]:
        """The manifests of the outputs of a kind of pass."""
        found = (self.folder / "here/store").rglob("cache/*/manifest.json")
        return [manifest for file in found if (manifest := json.loads(file.read_text()))["kind"] == kind]


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tiny_phi3):
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(tiny_phi3, folder / "models" / "phi3")
    (folder / "data").mkdir()
    (folder / "data" / "tones.jsonl").write_text(jsonl(TONES))
    return Desk(folder)


def test_the_example_runs_to_an_int4_model_and_another_alpha_makes_its_part_anew(desk, packages, monkeypatch):
    ended = desk.run(monkeypatch, packages)
    assert ended.code == 0, ended.err
    assert (desk.folder / "here/output/tone-wise-ft/model.onnx").is_file()
    assert "relativeChange" in ended.out

    assert desk.run(monkeypatch, packages).out.count("reused") == 3

    again = desk.run(monkeypatch, packages, config={"alpha": 0.25})
    assert [line.split()[2] for line in again.out.splitlines()[:3]] == ["reused", "made", "made"]
    assert len(desk.made("plugin")) == 2
    assert all(
        made["libraries"].keys() == {"finetune-wise-ft", "torch", "transformers", "peft"}
        for made in desk.made("plugin")
    )
    assert all(made["libraries"]["finetune-wise-ft"] == "0.1.0" for made in desk.made("plugin"))


def test_a_wrong_config_is_found_before_anything_runs(desk, packages, monkeypatch):
    ended = desk.run(monkeypatch, packages, config={"alpha": 2})
    assert ended.code == EXIT_CODES[Reason.INVALID_SPEC]
    assert "spec.passes[1].plugin.config.alpha: Input should be less than or equal to 1" in ended.err
    assert "stage 0" not in ended.err


def test_a_plugin_that_raises_ends_the_job_with_its_name_and_the_traceback_in_the_log(desk, packages, monkeypatch):
    ended = desk.run(monkeypatch, packages, {"input": "base"}, name="raises", config={})
    assert ended.code == EXIT_CODES[Reason.PLUGIN_FAILED]
    assert (
        "spec.passes[1].plugin: plugin 'raises' (finetune-sample 1.2.3) failed: ValueError: no such layer" in ended.err
    )
    log = Path(ended.err.rpartition("Log: ")[2].strip()).read_text()
    assert "finetune_sample.py" in log
    assert "Traceback (most recent call last)" in log


def raise_version(packages):
    metadata = packages / "finetune_sample-1.2.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2.3", "1.2.4"))


def test_a_stage_whose_image_has_another_version_than_prepare_saw_ends_the_job(place, sample_plugins):
    spec = place.spec(passes=[{"name": "scale", "plugin": {"name": "scale"}}])
    prepare(place.job(spec), Outcome(kind="prepare"))
    raise_version(sample_plugins)

    with pytest.raises(FineTuneError) as caught:
        run_stage(place.job(spec), 0, Outcome(kind="stage"), ProgressState())

    assert (caught.value.reason, caught.value.path) == (Reason.INVALID_SPEC, "spec.passes[0].plugin")
    assert "it has finetune-sample 1.2.4, and had finetune-sample 1.2.3" in caught.value.message


def test_a_plugin_of_another_version_makes_its_output_anew(place, sample_plugins):
    spec = place.spec(passes=[{"name": "scale", "plugin": {"name": "scale"}}])
    first = Outcome(kind="prepare")
    prepare(place.job(spec), first)
    raise_version(sample_plugins)
    second = Outcome(kind="prepare")
    prepare(place.another().job(spec), second)
    assert first.passes[0].key != second.passes[0].key


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A bfloat16 base, its adapter, and the two merged."""
    folder = tmp_path_factory.mktemp("tuned")
    base = make_tiny_phi3(folder / "base", dtype="bfloat16")
    tune(base, folder / "adapter", lora(r=4, alpha=12))
    merge(folder / "adapter", base, folder / "merged")
    return folder


def interpolated(folder, output, alpha):
    given = inputs(
        folder / "adapter", output, product=Product.ADAPTER, base=folder / "base", path="spec.passes[1].plugin"
    )
    report = Reported()
    result = run_pass("plugin", Plugin(name="wise-ft", config={"alpha": alpha}), given, report)
    assert report.steps[-1]["step"] == report.steps[-1]["total_steps"]
    return load_file(output / "model.safetensors"), float(result.metrics["relativeChange"])


@pytest.mark.usefixtures("installed")
def test_without_a_share_of_the_tuned_weights_the_base_is_left(tuned, tmp_path):
    weights, change = interpolated(tuned, tmp_path / "out", 0)
    for name, weight in load_file(tuned / "base" / "model.safetensors").items():
        assert torch.equal(weights[name], weight)
    assert change == 0


@pytest.mark.usefixtures("installed")
def test_with_all_of_them_it_is_what_merging_makes(tuned, tmp_path):
    weights, change = interpolated(tuned, tmp_path / "out", 1)
    for name, weight in load_file(tuned / "merged" / "model.safetensors").items():
        assert torch.equal(weights[name], weight)
    assert change > 0


@pytest.mark.usefixtures("installed")
def test_halfway_each_weight_is_the_mean_and_tokenizer_and_prompt_travel_along(tuned, tmp_path):
    weights, _ = interpolated(tuned, tmp_path / "out", 0.5)
    layer = "model.layers.1.self_attn.o_proj"
    base = load_file(tuned / "base" / "model.safetensors")[f"{layer}.weight"].float()
    factors = load_file(tuned / "adapter" / "adapter_model.safetensors")
    low, high = (factors[f"base_model.model.{layer}.lora_{factor}.weight"].float() for factor in "AB")
    halfway = (base + 0.5 * (12 / 4) * high @ low).bfloat16()
    torch.testing.assert_close(weights[f"{layer}.weight"], halfway, rtol=2**-7, atol=1e-6)
    for file in ("tokenizer.json", "prompt.json"):
        assert (tmp_path / "out" / file).read_bytes() == (tuned / "adapter" / file).read_bytes()
