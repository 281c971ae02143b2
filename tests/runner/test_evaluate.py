"""Evaluation: a model, an adapter or an ONNX model becomes figures, alike for all three."""

import json

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_runner.passes.evaluation.stop_tokens import stop_tokens
from passes import ROWS, Reported, evaluate, export_here, lora, merge, tune

STEPS = {"maxSteps": 100, "learningRate": 0.01, "perDeviceTrainBatchSize": 6, "lrSchedulerType": "linear"}


@pytest.fixture(scope="module")
def tuned(tiny_phi3, tmp_path_factory):
    """A model that has learned its rows, in all its forms."""
    base, work = tiny_phi3, tmp_path_factory.mktemp("tuned")
    tune(base, work / "adapter", lora(training=STEPS))
    merge(work / "adapter", base, work / "model")
    export_here(work / "model", work / "onnx", precision="fp32")
    return base, work


def figures(directory):
    return json.loads((directory / "metrics.json").read_text())


@pytest.fixture(scope="module")
def measured(tuned, tmp_path_factory):
    base, work = tuned
    output = tmp_path_factory.mktemp("figures")
    evaluate(base, output / "base", Product.MODEL)
    evaluate(work / "adapter", output / "adapter", Product.ADAPTER, base=base)
    evaluate(work / "model", output / "model", Product.MODEL)
    evaluate(work / "onnx", output / "onnx", Product.ONNX)
    return {name: figures(output / name) for name in ("base", "adapter", "model", "onnx")}


def test_a_tuned_model_gives_the_answers_it_learned(measured):
    assert measured["base"]["metrics"]["accuracy"] == 0
    assert measured["model"]["metrics"]["accuracy"] == 1
    assert measured["model"]["metrics"]["loss"] < 1 < measured["base"]["metrics"]["loss"]


@pytest.mark.parametrize("form", ["adapter", "onnx"])
def test_adapter_and_onnx_model_agree_with_the_merged_model(measured, form):
    assert measured[form]["metrics"]["loss"] == pytest.approx(measured["model"]["metrics"]["loss"], rel=1e-2, abs=1e-4)
    assert measured[form]["answers"] == measured["model"]["answers"]


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_an_onnx_model_agrees_with_pytorch_word_by_word(name, request, tmp_path):
    evaluate(request.getfixturevalue(name), tmp_path / "pytorch", Product.MODEL)
    evaluate(request.getfixturevalue(f"{name}_onnx"), tmp_path / "onnx", Product.ONNX)

    pytorch, onnx = figures(tmp_path / "pytorch"), figures(tmp_path / "onnx")
    assert onnx["metrics"]["loss"] == pytest.approx(pytorch["metrics"]["loss"], rel=1e-3)
    assert onnx["answers"] == pytorch["answers"]
    assert all(given["got"] for given in onnx["answers"])


def test_the_report_has_answers_and_confusion(measured):
    report = measured["model"]

    assert report["rows"] == len(ROWS)
    assert report["answers"][0] == {
        "prompt": "### Text: I can't stop smiling\n### The tone is:\n",
        "expected": "joy",
        "got": "joy",
    }
    assert report["confusion"] == {tone: {tone: 3} for tone in ("fear", "joy", "sadness", "surprise")}
    assert set(measured["base"]["confusion"]["joy"]) == {"(other)"}


def test_headlines_have_four_decimals(tuned, tmp_path):
    result = evaluate(tuned[1] / "model", tmp_path / "figures", Product.MODEL)

    assert result.metrics["accuracy"] == "1.0000"
    assert len(result.metrics["loss"].partition(".")[2]) == 4


def test_only_the_first_samples_are_measured_and_each_batch_is_told(tuned, tmp_path):
    report = Reported()

    evaluate(tuned[1] / "model", tmp_path / "figures", Product.MODEL, evaluator={"maxSamples": 6}, report=report)

    assert figures(tmp_path / "figures")["rows"] == 6
    assert report.steps == [{"step": step, "total_steps": 4} for step in (1, 2, 3, 4)]


def test_the_batch_size_changes_no_figure(tuned, measured, tmp_path):
    evaluate(tuned[0], tmp_path / "figures", Product.MODEL, evaluator={"batchSize": 1})

    alone = figures(tmp_path / "figures")
    assert alone["answers"] == measured["base"]["answers"]
    assert alone["metrics"]["loss"] == pytest.approx(measured["base"]["metrics"]["loss"], rel=1e-4)


def test_no_rows_are_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="has no rows") as caught:
        evaluate(tiny_phi3, tmp_path / "figures", Product.MODEL, rows=[])
    assert caught.value.reason is Reason.DATASET_INVALID


def test_every_token_that_ends_a_sequence_is_known(tmp_path):
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 106]}')
    (tmp_path / "genai_config.json").write_text('{"model": {"eos_token_id": 7}}')

    assert stop_tokens(tmp_path, 2) == {1, 2, 7, 106}
