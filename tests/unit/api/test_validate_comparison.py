"""What an evaluation compares with is there, and something to compare with."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

CHAIN = [
    ("look", "cpu", "evaluate"),
    ("tune", "cpu", "lora"),
    ("merge", "cpu", "merge"),
    ("check", "cpu", "evaluate"),
]
ACCURACY = {"name": "tone-accuracy", "metrics": [{"name": "accuracy", "accuracy": {}}]}
KL = {"name": "quality", "metrics": [{"name": "accuracy", "accuracy": {}}, {"name": "kl", "kl": {}}]}
PLACE = "spec.passes[3].evaluate.comparedTo"


def findings(compared_to="", evaluator="quality"):
    spec = wire_spec(CHAIN, evaluators=[ACCURACY, KL])
    spec["passes"][-1]["evaluate"] = {"evaluator": evaluator, "data": "tones", "comparedTo": compared_to}
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize("name", ["base", "tune"])
def test_a_model_can_be_compared_with_an_earlier_one(name):
    assert findings(name) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "kl compares with another model, and none is named (name the pass that makes it, or base)"),
        ({"compared_to": "nothing"}, "no earlier pass is named 'nothing' (use one of: base, look, tune, merge)"),
        ({"compared_to": "look"}, "'look' makes figures (name a pass that makes a model)"),
        ({"compared_to": "merge"}, "'merge' would be compared with itself (name another pass, or base)"),
        (
            {"compared_to": "tune", "evaluator": "tone-accuracy"},
            "no metric of 'tone-accuracy' compares with another model (add one (kl), or leave comparedTo out)",
        ),
    ],
)
def test_what_can_not_be_compared_is_refused(given, said):
    assert findings(**given) == [f"{PLACE}: {said}"]


def test_a_graph_that_cannot_be_run_here_is_not_compared_with_either():
    spec = wire_spec([("int4", "cpu", "build"), ("tune", "cpu", "lora"), ("check", "cpu", "evaluate")], evaluators=[KL])
    spec["passes"][0]["modelBuilder"] = {"executionProvider": "DmlExecutionProvider"}
    spec["passes"][1]["input"] = "base"
    spec["passes"][2]["evaluate"] = {"evaluator": "quality", "data": "tones", "comparedTo": "int4"}

    [problem] = parse(spec)[1]
    assert str(problem).startswith("spec.passes[2].evaluate.comparedTo: 'int4' is made for DmlExecutionProvider")
