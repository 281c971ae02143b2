"""Evaluation: a model, an adapter or an ONNX model becomes figures, alike for all three."""

import json
import math
from statistics import median

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.evaluators import Metric
from finetune_runner.artifact.stop_tokens import stop_tokens
from finetune_runner.passes.evaluation.answers import as_if_written
from finetune_runner.passes.evaluation.metrics import FIGURES
from finetune_runner.passes.evaluation.onnx import OnnxModel
from finetune_runner.passes.evaluation.pytorch import load_pytorch
from passes import ROWS, Reported, evaluate, export_here, lora, merge, tune
from plugin_packages import sample_plugins

__all__ = ["sample_plugins"]

PRODUCTS = {"adapter": Product.ADAPTER, "onnx": Product.ONNX}
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


def answers(report, metric="accuracy"):
    return report["details"][metric]["answers"]


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
    assert answers(measured[form]) == answers(measured["model"])


METRICS = [
    {"name": "accuracy", "accuracy": {"maxNewTokens": 8}},
    {"name": "one-token", "accuracy": {"maxNewTokens": 1}},
    {"name": "exact", "exactMatch": {"maxNewTokens": 8}},
    {"name": "f1", "macroF1": {"maxNewTokens": 8}},
    {"name": "loss", "loss": {}},
    {"name": "perplexity", "perplexity": {}},
    {"name": "size", "sizeBytes": {}},
    {"name": "first", "timeToFirstToken": {"promptTokens": 40, "repeats": 2}},
    {"name": "pace", "tokensPerSecond": {"promptTokens": 40, "newTokens": 6, "repeats": 3}},
]
TIMES = {"first", "pace"}


@pytest.mark.parametrize("form", ["base", "adapter", "model", "onnx"])
def test_every_metric_is_measured_on_every_form_of_a_model(form, tuned, tmp_path):
    base, work = tuned
    source, product = base if form == "base" else work / form, PRODUCTS.get(form, Product.MODEL)
    report = Reported()

    evaluate(
        source,
        tmp_path / "figures",
        product,
        base=base if form == "adapter" else None,
        evaluator={"metrics": METRICS},
        report=report,
    )

    found = figures(tmp_path / "figures")
    right = 0 if form == "base" else 1
    assert [found["metrics"][name] for name in ("accuracy", "exact", "f1")] == [right] * 3
    assert found["metrics"]["one-token"] == right / 4, "joy is the only answer of one token"
    assert found["metrics"]["perplexity"] == pytest.approx(math.exp(found["metrics"]["loss"]))
    assert found["metrics"]["size"] == sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    assert set(found["intervals"]) == set(found["metrics"]) - {"size"} - TIMES
    assert all(found["metrics"][name] == median(found["details"][name]["repeats"]) > 0 for name in TIMES)
    assert [len(found["details"][name]["repeats"]) for name in ("first", "pace")] == [2, 3]
    assert report.steps[-1] == {"step": 10, "total_steps": 10}, "three batches written and scored, 3 and 4 runs timed"


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3", "tiny_phi3_onnx", "tiny_gemma3_onnx"])
def test_as_many_tokens_are_timed_as_are_asked_for_one_after_the_other(name, request):
    directory = request.getfixturevalue(name)
    onnx = directory / "genai_config.json"
    every_token_ends = frozenset(range(8))
    if onnx.is_file():
        model = OnnxModel(directory, every_token_ends)
    else:
        model = load_pytorch(directory, None, stop=every_token_ends, pad=0, accelerator=False, trust_remote_code=False)

    times = model.token_times([5, 6, 7, 8], 12)

    assert len(times) == 12
    assert times == sorted(times)
    assert times[0] > 0
    assert model.context_length > 100


@pytest.mark.parametrize("form", ["model", "onnx"])
def test_a_prompt_that_the_model_cannot_read_is_refused(form, tuned, tmp_path):
    ask = {"metrics": [{"name": "pace", "tokensPerSecond": {"promptTokens": 1000000}}]}

    with pytest.raises(FineTuneError, match="more than the model's context of") as caught:
        evaluate(tuned[1] / form, tmp_path / "out", PRODUCTS.get(form, Product.MODEL), evaluator=ask)
    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.evaluators[tone].metrics[pace].tokensPerSecond"


def test_writing_on_after_the_answer_is_no_exact_match(tiny_phi3, tmp_path):
    """A model of random weights writes several lines, of which only the first is expected."""
    ask = {"metrics": [{"name": "exact", "exactMatch": {}}, {"name": "accuracy", "accuracy": {}}]}
    evaluate(tiny_phi3, tmp_path / "first", Product.MODEL, evaluator=ask)
    wrote = answers(figures(tmp_path / "first"), "exact")[0]["got"]
    assert "\n" in wrote
    rows = [{"phrase": ROWS[0]["phrase"], "tone": wrote.split("\n")[0]}]

    evaluate(tiny_phi3, tmp_path / "second", Product.MODEL, evaluator=ask, rows=rows)

    assert figures(tmp_path / "second")["metrics"] == {"exact": 0, "accuracy": 1}


@pytest.mark.usefixtures("sample_plugins")
def test_a_metric_of_a_third_party_scores_what_the_model_writes(tiny_phi3, tmp_path):
    ask = {"metrics": [{"name": "length", "plugin": {"name": "length", "maxNewTokens": 5, "higherIsBetter": False}}]}

    evaluate(tiny_phi3, tmp_path / "figures", Product.MODEL, evaluator=ask)

    found = figures(tmp_path / "figures")
    wrote = [given["got"] for given in answers(found, "length")]
    assert len(wrote) == len(ROWS)
    assert found["metrics"]["length"] == pytest.approx(sum(map(len, wrote)) / len(wrote))
    assert found["intervals"]["length"]


def test_answers_that_are_no_classes_have_no_macro_f1(tiny_phi3, tmp_path):
    rows = [{"phrase": "a", "tone": f"answer {number}"} for number in range(51)]
    ask = {"metrics": [{"name": "f1", "macroF1": {"maxNewTokens": 1}}]}

    with pytest.raises(FineTuneError, match="more than 50 different") as caught:
        evaluate(tiny_phi3, tmp_path / "figures", Product.MODEL, evaluator=ask, rows=rows)
    assert caught.value.reason is Reason.DATASET_INVALID
    assert caught.value.path == "spec.evaluators[tone].metrics[f1].macroF1"


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_an_onnx_model_agrees_with_pytorch_word_by_word(name, request, tmp_path):
    of_model = evaluate(request.getfixturevalue(name), tmp_path / "pytorch", Product.MODEL)
    of_onnx = evaluate(request.getfixturevalue(f"{name}_onnx"), tmp_path / "onnx", Product.ONNX)

    pytorch, onnx = figures(tmp_path / "pytorch"), figures(tmp_path / "onnx")
    assert onnx["metrics"]["loss"] == pytest.approx(pytorch["metrics"]["loss"], rel=1e-3)
    assert answers(onnx) == answers(pytorch)
    assert all(given["got"] for given in answers(onnx))
    assert (of_model.verified_on, of_onnx.verified_on) == ("", "CPUExecutionProvider")


def test_the_report_has_answers_and_confusion(measured):
    report = measured["model"]

    assert report["rows"] == len(ROWS)
    assert answers(report)[0] == {
        "prompt": "### Text: I can't stop smiling\n### The tone is:\n",
        "expected": "joy",
        "got": "joy",
    }
    details = report["details"]["accuracy"]
    assert details["confusion"] == {tone: {tone: 3} for tone in ("fear", "joy", "sadness", "surprise")}
    assert details["classes"]["joy"] == {"precision": 1, "recall": 1, "f1": 1, "rows": 3}
    assert details["macroF1"] == 1
    assert set(measured["base"]["details"]["accuracy"]["confusion"]["joy"]) == {"(other)"}


def test_headlines_have_four_decimals_and_intervals(tuned, tmp_path):
    result = evaluate(tuned[0], tmp_path / "figures", Product.MODEL)

    assert result.metrics["accuracy"] == "0.0000"
    assert result.intervals["accuracy"] == ("0.0000", "0.0000")
    assert len(result.metrics["loss"].partition(".")[2]) == 4
    low, high = figures(tmp_path / "figures")["intervals"]["loss"]
    assert low < float(result.metrics["loss"]) < high
    assert result.intervals["loss"] == (f"{low:.4f}", f"{high:.4f}")


def test_only_the_first_samples_are_measured_and_each_batch_is_told(tuned, tmp_path):
    report = Reported()

    evaluate(tuned[1] / "model", tmp_path / "figures", Product.MODEL, evaluator={"maxSamples": 6}, report=report)

    assert figures(tmp_path / "figures")["rows"] == 6
    assert report.steps == [{"step": 1, "total_steps": 2}, {"step": 2, "total_steps": 2}]


def test_the_batch_size_changes_no_figure(tuned, measured, tmp_path):
    evaluate(tuned[0], tmp_path / "figures", Product.MODEL, evaluator={"batchSize": 1})

    alone = figures(tmp_path / "figures")
    assert answers(alone) == answers(measured["base"])
    assert alone["metrics"]["loss"] == pytest.approx(measured["base"]["metrics"]["loss"], rel=1e-4)


def test_every_metric_that_a_manifest_may_name_has_a_figure():
    assert {*FIGURES, "plugin"} == set(Metric.variants)


def test_no_rows_are_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="has no rows") as caught:
        evaluate(tiny_phi3, tmp_path / "figures", Product.MODEL, rows=[])
    assert caught.value.reason is Reason.DATASET_INVALID


def test_every_token_that_ends_a_sequence_is_known(tmp_path):
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 106]}')
    (tmp_path / "genai_config.json").write_text('{"model": {"eos_token_id": 7}}')

    assert stop_tokens(tmp_path, 2) == {1, 2, 7, 106}


@pytest.mark.parametrize(("completion", "reads"), [("joy", "joy"), ("joy <end>", "joy"), ("never", "never")])
def test_marks_are_no_part_of_what_is_expected_and_what_has_no_token_stays(completion, reads):
    words = Tokenizer(WordLevel({"<unk>": 0, "<end>": 1, "joy": 2}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<end>")

    assert as_if_written(completion, tokenizer) == reads
