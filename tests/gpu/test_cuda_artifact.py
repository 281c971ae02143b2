"""An artifact for CUDA is run where CUDA is: verified as it is built, and measured, and it says what the model said."""

import json

import onnxruntime_genai
import pytest

from finetune_api.export_options import CUDA
from finetune_api.plan import Product
from passes import ROWS, TONES, data_set, evaluate, export, extract, lora, merge, tune

NEXT_TONE = dict(zip(TONES, [*TONES][1:] + [*TONES][:1], strict=True))
MOVED_ROWS = [row | {"tone": NEXT_TONE[str(row["tone"])]} for row in ROWS]
"""Of the same texts each has another tone, so that who learnt these has the others all wrong."""


@pytest.fixture(scope="module", autouse=True)
def _runtime():
    assert onnxruntime_genai.is_cuda_available(), "tests/gpu needs onnxruntime-genai-cuda: run make test-gpu"


@pytest.fixture(scope="module")
def tuned(tiny_phi3, tmp_path_factory):
    """A folder with an adapter, and the model that it was merged into."""
    work = tmp_path_factory.mktemp("tuned")
    tune(tiny_phi3, work / "adapter", lora(training={"maxSteps": 60}), accelerator=True)
    merge(work / "adapter", tiny_phi3, work / "merged")
    return work


@pytest.mark.parametrize("precision", ["int4", "int8", "fp16", "bf16"])
def test_an_export_for_cuda_answers_there_and_keeps_what_was_learnt(tuned, tmp_path, precision):
    made = export(tuned / "merged", tmp_path / "onnx", accelerator=True, executionProvider=CUDA, precision=precision)

    kept = evaluate(tmp_path / "onnx", tmp_path / "onnx-figures", Product.ONNX, accelerator=True)
    before = evaluate(tuned / "merged", tmp_path / "figures", Product.MODEL, accelerator=True)

    assert (made.verified_on, kept.verified_on) == (CUDA, CUDA)
    assert float(kept.metrics["accuracy"]) == pytest.approx(float(before.metrics["accuracy"]), abs=0.1)
    assert float(kept.metrics["loss"]) == pytest.approx(float(before.metrics["loss"]), abs=0.1)


def test_an_adapter_beside_its_base_answers_there_too(tuned, tiny_phi3, tmp_path):
    made = extract(tuned / "adapter", tiny_phi3, tmp_path / "onnx", accelerator=True, executionProvider=CUDA)

    kept = evaluate(tmp_path / "onnx", tmp_path / "figures", Product.ONNX, accelerator=True)

    assert made.verified_on == CUDA
    assert float(kept.metrics["accuracy"]) > 0.8


@pytest.mark.parametrize("precision", ["int4", "fp16", "bf16"])
def test_each_of_several_adapters_over_one_graph_answers_there_as_it_was_tuned_to(tiny_phi3, tmp_path, precision):
    learnt = {"tones": ROWS, "moved": MOVED_ROWS}
    adapters = {name: tmp_path / name for name in learnt}
    for name, rank in (("tones", 8), ("moved", 16)):
        config = lora(r=rank, training={"maxSteps": 120, "learningRate": 0.01})
        tune(tiny_phi3, adapters[name], config, train=data_set(learnt[name]), accelerator=True)
    given = {"executionProvider": CUDA, "precision": precision, "adapters": adapters}
    made = extract(adapters["tones"], tiny_phi3, tmp_path / "onnx", accelerator=True, **given)

    def accuracy(adapter, rows):
        figures = tmp_path / f"{adapter}-asked-for-{rows}"
        of = {"adapter": adapter, "rows": learnt[rows], "accelerator": True}
        return float(evaluate(tmp_path / "onnx", figures, Product.ONNX, **of).metrics["accuracy"])

    assert made.verified_on == CUDA
    for adapter, other in (("tones", "moved"), ("moved", "tones")):
        assert accuracy(adapter, adapter) > 0.8
        assert accuracy(adapter, other) < 0.2


def test_it_records_and_replays_its_graph(tuned, tmp_path):
    given = {"executionProvider": CUDA, "precision": "fp16", "enableCudaGraph": True}
    made = export(tuned / "merged", tmp_path / "onnx", accelerator=True, **given)

    options = json.loads((tmp_path / "onnx/genai_config.json").read_text())["model"]["decoder"]["session_options"]
    assert made.verified_on == CUDA
    assert options["provider_options"][0]["cuda"]["enable_cuda_graph"] == "1"
