"""A dequantised base is for adapters that were trained beside one."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse


def findings(kind, **merge):
    spec = wire_spec([("tune", "gpu", "lora"), ("merge", "cpu", "merge")])
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones"}}
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
    [problem] = findings("qlora", mergeBase="auto")

    assert "'original' or 'dequantised'" in problem
