"""Evaluation against another model: how far the predictions of one are from those of the other."""

import json
import math
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_runner.committed import find_committed
from finetune_runner.data.rendering import encoder_of, render
from finetune_runner.data.tokens import Encoded
from finetune_runner.outcome import Outcome
from finetune_runner.passes.contract import ModelPlace
from finetune_runner.passes.evaluation.comparison import compare, loss_of
from finetune_runner.passes.evaluation.pytorch import _at_most
from finetune_runner.prepare import prepare
from finetune_runner.prepared import required
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finished_passes import finish_passes
from passes import ROWS, data_set, evaluate, export_here, lora, merge, tune

METRICS = [{"name": "kl", "kl": {}}, {"name": "loss", "loss": {}}]


def test_a_divergence_is_that_worked_out_by_hand():
    reference = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    logits = torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log() + 7  # a constant on all logits says nothing

    found = compare(reference, logits)

    assert found.divergence == pytest.approx(0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75))
    assert (found.same, found.tokens) == (1, 2)


def test_a_token_that_the_reference_rules_out_adds_nothing():
    reference = torch.tensor([[0.0, -math.inf]])

    assert compare(reference, torch.tensor([[0.0, 0.0]])).divergence == pytest.approx(math.log(2))


def test_many_predictions_are_compared_a_part_at_a_time_to_the_same_end(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    reference, logits = torch.randn(2, 9, 5, generator=generator)
    whole = compare(reference, logits)

    monkeypatch.setattr("finetune_runner.passes.evaluation.comparison.AT_ONCE", 10)

    assert compare(reference, logits).divergence == pytest.approx(whole.divergence)


def test_a_loss_is_taken_from_the_same_logits():
    loss = loss_of(torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), [0, 1])

    assert loss.tokens == 2
    assert loss.total == pytest.approx(-math.log(0.5) - math.log(0.1), rel=1e-6)


def test_rows_go_through_the_model_in_groups_of_few_logits():
    rows = [Encoded([0] * (count + 1), 1, [False] + [True] * count) for count in (3, 3, 9, 1, 1)]

    groups = [[sum(row.counts) for row in group] for group in _at_most(rows, 6)]

    assert groups == [[3, 3], [9], [1, 1]]


@pytest.fixture(scope="module")
def tuned(tiny_phi3, tmp_path_factory):
    """An adapter, and what is made of it."""
    base, work = tiny_phi3, tmp_path_factory.mktemp("compared")
    tune(base, work / "adapter", lora())
    merge(work / "adapter", base, work / "model")
    for precision in ("fp32", "int4"):
        export_here(work / "model", work / precision, precision=precision)
    return base, work


def compared(source, output, product, tuned, **fields):
    base, work = tuned
    reference = ModelPlace(work / "adapter", Product.ADAPTER, base)
    evaluate(source, output, product, reference=reference, evaluator={"metrics": METRICS}, **fields)
    return json.loads((output / "metrics.json").read_text())


def by_transformers(model, reference):
    """The divergence of two models' whole logits, at the tokens of the answers."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    preprocess = data_set().config.preprocess
    ours, theirs = (AutoModelForCausalLM.from_pretrained(folder) for folder in (model, reference))
    total, tokens = 0.0, 0
    for example in render(ROWS, preprocess, tokenizer, "spec"):
        row = encoder_of(preprocess, tokenizer).encode(example)
        with torch.no_grad():
            q, p = (m(torch.tensor([row.ids])).logits[0].log_softmax(-1) for m in (ours, theirs))
        at = [place - 1 for place, counted in enumerate(row.counts) if counted]
        total += float((p[at].exp() * (p[at] - q[at])).sum())
        tokens += len(at)
    return total / tokens


def test_the_base_diverges_from_the_tuned_model_as_transformers_says(tuned, tmp_path):
    base, work = tuned
    found = compared(base, tmp_path / "out", Product.MODEL, tuned)

    assert found["metrics"]["kl"] == pytest.approx(by_transformers(base, work / "model"), rel=1e-3)
    low, high = found["intervals"]["kl"]
    assert low < found["metrics"]["kl"] < high
    assert found["details"]["kl"]["sameToken"] < 1


def test_merging_and_exporting_change_nothing_and_int4_something(tuned, tmp_path):
    work = tuned[1]
    merged = compared(work / "model", tmp_path / "merged", Product.MODEL, tuned)
    fp32 = compared(work / "fp32", tmp_path / "fp32", Product.ONNX, tuned)
    int4 = compared(work / "int4", tmp_path / "int4", Product.ONNX, tuned)

    assert merged["metrics"]["kl"] == pytest.approx(0, abs=1e-6)
    assert fp32["metrics"]["kl"] == pytest.approx(0, abs=1e-4)
    assert int4["metrics"]["kl"] > 10 * fp32["metrics"]["kl"]
    assert merged["details"]["kl"]["sameToken"] == fp32["details"]["kl"]["sameToken"] == 1


@pytest.mark.parametrize(("form", "product"), [("model", Product.MODEL), ("fp32", Product.ONNX)])
def test_comparing_changes_no_loss(form, product, tuned, tmp_path):
    beside = compared(tuned[1] / form, tmp_path / "beside", product, tuned)
    evaluate(tuned[1] / form, tmp_path / "alone", product)

    alone = json.loads((tmp_path / "alone" / "metrics.json").read_text())
    assert beside["metrics"]["loss"] == pytest.approx(alone["metrics"]["loss"], rel=1e-5)


def test_an_onnx_model_can_be_what_is_compared_with(tuned, tmp_path):
    reference = ModelPlace(tuned[1] / "fp32", Product.ONNX, None)
    ask = {"metrics": [{"name": "kl", "kl": {}}]}
    evaluate(tuned[1] / "model", tmp_path / "out", Product.MODEL, reference=reference, evaluator=ask)

    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]["kl"] == pytest.approx(0, abs=1e-4)


def test_models_of_other_tokens_are_not_compared(tuned, tmp_path):
    other = shutil.copytree(tuned[1] / "model", tmp_path / "other")
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["a-token-of-its-own"])
    tokenizer.save_pretrained(other)

    with pytest.raises(FineTuneError, match="tokenizer is another") as caught:
        compared(other, tmp_path / "out", Product.MODEL, tuned)
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED
    assert caught.value.path == "spec.passes[0].comparedTo"


TUNE = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2, "learningRate": 0.01}}}
OTHER = {"name": "other", "input": "base", "lora": {"r": 2, "trainData": "tones", "training": {"maxSteps": 2}}}
EVALUATORS = [{"name": "quality", "metrics": [{"name": "kl", "kl": {}}]}]


def check(source, reference):
    config = {"evaluator": "quality", "data": "tones", "comparedTo": reference}
    return {"name": "check", "input": source, "evaluate": config}


def test_a_stage_compares_the_base_with_its_adapter(place, tiny_phi3):
    for key in place.bucket.object_keys("base/"):
        place.bucket.delete(key)
    place.bucket.upload(tiny_phi3, "base")
    spec = place.spec(passes=[TUNE, check("base", "tune")], evaluators=EVALUATORS)
    prepare(place.job(spec), Outcome(kind="prepare"))

    outcome = Outcome(kind="stage")
    run_stage(place.job(spec), 0, outcome, ProgressState())

    job = place.job(spec)
    manifest = find_committed(job, required(job))["check"]
    assert set(manifest.inputs) == {"input", "reference", "reference_base"}
    assert float(manifest.metrics["kl"]) > 0
    assert manifest.intervals["kl"]


def test_a_figure_counts_no_more_once_what_it_was_compared_with_is_another(place):
    spec = place.spec(passes=[TUNE, OTHER, check("tune", "other")], evaluators=EVALUATORS)
    prepare(place.job(spec), Outcome(kind="prepare"))
    finish_passes(place, ["tune", "other", "check"], spec=spec)
    job = place.job(spec)
    assert set(find_committed(job, required(job))) == {"tune", "other", "check"}

    finish_passes(place, ["other"], spec=spec, text="trained anew", again=True)

    assert set(find_committed(job, required(job))) == {"tune", "other"}
