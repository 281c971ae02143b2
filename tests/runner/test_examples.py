"""Every example is run, from the manifest's file to the artifact it promises.

As written but for what this machine lacks: the table says what stands in its place.
"""

from dataclasses import dataclass

import pytest

from example_places import EXAMPLES, example_places
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage

pytestmark = pytest.mark.usefixtures("builder_here")

HUB_MODELS = {
    "microsoft/Phi-3-mini-4k-instruct": "phi3",
    "Qwen/Qwen2.5-0.5B-Instruct": "qwen2",
    "HuggingFaceTB/SmolLM2-135M": "llama",
}
MODELS = {"gemma3-270m": "gemma3"}
COLOURS = ("red", "green", "blue", "grey", "black", "white")
HUB_ROWS = {
    "databricks/databricks-dolly-15k": [
        {"instruction": f"Which colour is it? ({number})", "context": f"It is {colour}.", "response": colour}
        | {"category": category}
        for number in range(4)
        for colour in COLOURS
        for category in ("closed_qa", "creative_writing")
    ]
}


@dataclass(frozen=True)
class Run:
    """How an example is run here."""

    systems: tuple[str, ...] = ("cpu",)
    """Of its stages, in their order; without accelerators here."""


RUNS = {
    "chat.yaml": Run(),
    "export-only.yaml": Run(),
    "inline-rows.yaml": Run(),
    "join-corpus.yaml": Run(),
    "phi3-tone.yaml": Run(("gpu", "cpu")),
    "qlora-gpu.yaml": Run(("gpu", "cpu")),
    "tone.yaml": Run(),
    "volume.yaml": Run(),
}
ELSEWHERE = {
    "adapter-hot-swap.yaml": "test_adapter_hot_swap.py",
    "plugin/job.yaml": "test_plugin.py",
    "kustomize/base/job.yaml": "tests/cluster/test_manifests.py, with each overlay",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    with example_places(folder, hub_models=HUB_MODELS, models=MODELS, hub_rows=HUB_ROWS) as filled:
        yield filled


def test_every_example_is_run():
    manifests = [file for file in EXAMPLES.rglob("*.yaml") if "\nkind: FineTuneJob\n" in file.read_text()]
    assert {file.relative_to(EXAMPLES).as_posix() for file in manifests} == RUNS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("name", RUNS)
def test_an_example_makes_the_artifact_it_promises(name, places, tmp_path):
    job, outcome = places.job(EXAMPLES / name, tmp_path / "pod"), Outcome(kind="prepare")

    prepare(job, outcome)
    for stage in job.plan.stages:
        outcome = Outcome(kind="stage")
        run_stage(job, stage.index, outcome, ProgressState())

    assert tuple(stage.system.name for stage in job.plan.stages) == RUNS[name].systems
    assert outcome.published is not None
    artifact = places.published(outcome.published.uri)
    assert {"model.onnx", "genai_config.json", "tokenizer.json"} <= {file["path"] for file in artifact["files"]}
