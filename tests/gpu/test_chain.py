"""Tuned on a device, merged and exported without one: the command line runs the chain as a user would."""

import json

import torch
import yaml

from command_line import run_process
from finetune_api import API_VERSION, KIND
from finetune_api.failures import EXIT_CODES, Reason
from passes import ROWS, TEMPLATE

GPU = {"name": "gpu", "accelerator": {"resourceName": "nvidia.com/gpu", "count": 1}}
EVALUATOR = {
    "name": "tone",
    "metrics": [{"name": "accuracy", "accuracy": {"maxNewTokens": 8}}, {"name": "loss", "loss": {}}],
}
TRAINING = {"maxSteps": 80, "learningRate": 0.01, "perDeviceTrainBatchSize": 4, "optim": "paged_adamw_8bit"}
CHAIN = [
    {"name": "before", "system": "gpu", "input": "base", "evaluate": {"evaluator": "tone", "data": "tones"}},
    {"name": "tune", "system": "gpu", "input": "base", "qlora": {"r": 16, "trainData": "tones", "training": TRAINING}},
    {"name": "tuned", "system": "gpu", "evaluate": {"evaluator": "tone", "data": "tones"}},
    {"name": "merge", "system": "cpu", "input": "tune", "mergeAdapterWeights": {}},
    {"name": "int4", "system": "cpu", "modelBuilder": {"precision": "int4"}},
    {"name": "exported", "system": "cpu", "evaluate": {"evaluator": "tone", "data": "tones"}},
]


def written(folder, model, passes, gpu):
    """A manifest; gives the command that runs it."""
    (folder / "tones.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    spec = {
        "inputModel": {"source": {"volume": {"claimName": "models", "path": model.name}}},
        "dataConfigs": [
            {
                "name": "tones",
                "source": {"volume": {"claimName": "data", "path": "tones.jsonl"}},
                "preprocess": {"textTemplate": TEMPLATE},
            }
        ],
        "systems": [gpu, {"name": "cpu"}],
        "evaluators": [EVALUATOR],
        "passes": passes,
    }
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}, "spec": spec}
    (folder / "job.yaml").write_text(yaml.safe_dump(manifest))
    mounts = (f"--mount=models={model.parent}", f"--mount=data={folder}")
    return ("run", folder / "job.yaml", f"--folder={folder / 'here'}", *mounts)


def test_a_chain_with_its_tuning_on_the_device_ends_with_an_int4_model(tiny_phi3, tmp_path):
    ended = run_process(*written(tmp_path, tiny_phi3, CHAIN, GPU))

    assert ended.code == 0, ended.err
    output = tmp_path / "here" / "output" / "tone"
    assert (output / "model.onnx").exists()
    passes = {step["name"]: step for step in json.loads((output / "report.json").read_text())["passes"]}
    loss = {name: float(passes[name]["metrics"]["loss"]) for name in ("before", "tuned", "exported")}
    assert loss["tuned"] < loss["before"] / 4
    assert loss["exported"] < loss["before"] / 2


def test_more_devices_than_there_are_end_the_job_with_a_remedy(tiny_phi3, tmp_path):
    more = torch.cuda.device_count() + 1
    gpus = {"name": "gpu", "accelerator": {"resourceName": "nvidia.com/gpu", "count": more}}

    ended = run_process(*written(tmp_path, tiny_phi3, CHAIN[1:2], gpus))

    assert ended.code == EXIT_CODES[Reason.ACCELERATOR_UNAVAILABLE]
    assert f"asks for {more} nvidia.com/gpu" in ended.err
