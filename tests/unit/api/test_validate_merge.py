"""A dequantised base is for adapters that were trained beside one."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse


def findings(kind, tuning=None, **merge):
    spec = wire_spec([("tune", "gpu", "lora"), ("merge", "cpu", "merge")])
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones"} | (tuning or {})}
    spec["passes"][1]["mergeAdapterWeights"] = merge
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize("kind", ["lora", "qlora", "dora", "loftq", "loha", "lokr"])
def test_every_adapter_goes_into_the_original_base(kind):
    assert findings(kind) == findings(kind, mergeBase="original") == []


def test_a_qlora_adapter_goes_into_the_base_that_it_saw():
    assert findings("qlora", mergeBase="dequantised") == []


@pytest.mark.parametrize("kind", ["lora", "dora", "loftq", "loha", "lokr"])
def test_no_other_adapter_does(kind):
    [problem] = findings(kind, mergeBase="dequantised")

    assert problem.startswith("spec.passes[1].mergeAdapterWeights.mergeBase: 'tune' (")
    assert problem.endswith("(leave mergeBase out, or tune with qlora)")


def test_another_base_is_refused_with_those_there_are():
    [problem] = findings("qlora", mergeBase="nf4")

    assert "use one of: original, dequantised, auto" in problem


@pytest.mark.parametrize("held_out", [{"evalData": "tones"}, {"evalFraction": 0.1}, {"evalRows": 20}])
def test_a_choice_between_the_two_is_made_by_held_out_rows(held_out):
    assert findings("qlora", held_out, mergeBase="auto") == []


def test_a_choice_without_held_out_rows_is_refused():
    [problem] = findings("qlora", mergeBase="auto")

    assert problem == (
        "spec.passes[1].mergeAdapterWeights.mergeBase: 'tune' holds no rows out to compare the two bases by"
        " (set evalFraction, evalRows or evalData of tune, or use one of: original, dequantised)"
    )


@pytest.mark.parametrize("kind", ["lora", "dora", "loftq", "loha", "lokr"])
def test_where_there_is_no_choice_nothing_is_asked_for(kind):
    assert findings(kind, mergeBase="auto") == []


def test_rows_that_a_plugin_was_not_trained_on_cannot_be_told():
    spec = wire_spec([("tune", "gpu", "lora"), ("merge", "cpu", "merge")])
    plugin = {"name": "tuner", "produces": "adapter"}
    spec["passes"][0] = {"name": "tune", "system": "gpu", "plugin": plugin}
    spec["passes"][1]["mergeAdapterWeights"] = {"mergeBase": "auto"}

    [problem] = [found for found in map(str, parse(spec)[1]) if "mergeBase" in found]

    assert "which rows 'tune' (plugin) was not trained on can't be told" in problem
