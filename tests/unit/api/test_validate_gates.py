"""A gate looks at what will have been measured; any other is refused with what to add."""

from typing import Any

import pytest

from api_specs import wire_pass
from finetune_api.validate import parse
from gated_specs import gated_spec
from schemas import crd_schema

GATE = {"metric": "accuracy", "after": "int4", "min": "0.85"}
DROP = {"metric": "accuracy", "after": "int4", "maxDrop": "0.02", "comparedTo": "tune"}


def findings(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in parse(spec)[1]]


def test_gates_on_what_is_measured_are_right():
    assert findings(gated_spec(GATE, DROP)) == []


def test_a_pass_that_is_named_as_input_counts_as_measured():
    spec = gated_spec({**GATE, "after": "merge"})
    spec["passes"].append(wire_pass("merge-check", "cpu", "evaluate", input="merge"))
    assert findings(spec) == []


def test_a_gate_on_what_nothing_measures_says_which_pass_to_add():
    assert findings(gated_spec({**GATE, "after": "merge"})) == [
        "spec.gates[0].after: nothing measures accuracy of 'merge'"
        " (add an evaluate pass with input: merge and an evaluator with the metric accuracy)"
    ]


def test_an_unknown_metric_is_refused_with_those_there_are():
    assert findings(gated_spec({**GATE, "metric": "bleu"})) == [
        "spec.gates[0].metric: no metric of an evaluator is named 'bleu'"
        " (use one of: accuracy, first, loss, pace, size)"
    ]


def test_an_unknown_pass_is_refused_with_those_that_make_something():
    assert findings(gated_spec({**GATE, "after": "int8"})) == [
        "spec.gates[0].after: no pass is named 'int8' (use one of: tune, merge, int4)"
    ]


def test_a_pass_that_measures_is_refused_with_the_one_it_measures():
    assert findings(gated_spec({**GATE, "after": "check"})) == [
        "spec.gates[0].after: 'check' only measures (name the pass that it measures: int4)"
    ]


def test_a_drop_from_what_is_not_measured_says_which_pass_to_add():
    assert findings(gated_spec({**DROP, "comparedTo": "merge"})) == [
        "spec.gates[0].comparedTo: 'check' measures accuracy of 'int4', and nothing the same of 'merge'"
        " (add an evaluate pass with input: merge, evaluator: tone-accuracy and data: tones)"
    ]


def test_a_drop_is_measured_on_the_same_rows():
    spec = gated_spec(DROP)
    other = {**spec["dataConfigs"][0], "name": "other"}
    spec["dataConfigs"].append(other)
    spec["passes"][1]["evaluate"]["data"] = "other"
    assert [text.split(":")[0] for text in findings(spec)] == ["spec.gates[0].comparedTo"]


def test_a_drop_is_measured_in_the_same_way():
    spec = gated_spec(DROP)
    strict = {"name": "strict", "metrics": [{"name": "accuracy", "accuracy": {"ignoreCase": False}}]}
    spec["evaluators"].append(strict)
    spec["passes"][1]["evaluate"]["evaluator"] = "strict"
    assert [text.split(":")[0] for text in findings(spec)] == ["spec.gates[0].comparedTo"]


def test_a_divergence_is_compared_with_one_from_the_same_model():
    spec = gated_spec({"metric": "kl", "after": "int4", "maxDrop": "0.1", "comparedTo": "tune"})
    spec["evaluators"] = [{"name": "tone-accuracy", "metrics": [{"name": "kl", "kl": {}}]}]
    for index in (1, 4):
        spec["passes"][index]["evaluate"]["comparedTo"] = "base"
    assert findings(spec) == []

    spec["passes"][4]["evaluate"]["comparedTo"] = "merge"
    assert [text.split(":")[0] for text in findings(spec)] == ["spec.gates[0].comparedTo"]


def test_the_base_is_something_to_compare_with():
    spec = gated_spec({**DROP, "comparedTo": "base", "maxDrop": "-0.1"})
    spec["passes"].insert(0, wire_pass("base-check", "gpu", "evaluate", input="base"))
    spec["passes"][1]["input"] = "base"
    assert findings(spec) == []


def test_a_pace_is_compared_with_one_of_the_same_system():
    spec = gated_spec({"metric": "pace", "after": "int4", "maxDrop": "5", "comparedTo": "tune"})
    assert [text.split(":")[0] for text in findings(spec)] == ["spec.gates[0].comparedTo"]
    spec["passes"][1]["system"] = "cpu"
    assert findings(spec) == []


def test_nothing_is_compared_with_itself():
    [text] = findings(gated_spec({**DROP, "comparedTo": "int4"}))
    assert text.startswith("spec.gates[0].comparedTo: 'int4' would be compared with itself")


@pytest.mark.parametrize("provider", ["DmlExecutionProvider", "WebGpuExecutionProvider"])
def test_a_gate_on_an_export_that_no_image_can_run_is_refused(provider):
    spec = gated_spec(GATE)
    spec["passes"][3]["modelBuilder"] = {"executionProvider": provider}
    del spec["passes"][4]
    assert findings(spec) == [
        f"spec.gates[0].after: 'int4' is made for {provider}, which no system of the job can run"
        " (gate the model before its export, or an export for the CPU)"
    ]


def test_a_gate_on_a_cuda_export_needs_a_system_with_an_accelerator():
    spec = gated_spec(GATE, systems=[{"name": "gpu"}, {"name": "cpu"}])
    spec["passes"][3]["modelBuilder"] = {"executionProvider": "CUDAExecutionProvider"}
    del spec["passes"][4]
    assert findings(spec) == [
        "spec.gates[0].after: 'int4' is made for CUDAExecutionProvider, which no system of the job can run"
        " (add a system with an accelerator, or gate the model before its export)"
    ]


def test_a_gate_on_a_cuda_export_measured_on_an_accelerator_is_right():
    spec = gated_spec(GATE)
    spec["passes"][3]["modelBuilder"] = {"executionProvider": "CUDAExecutionProvider"}
    spec["passes"][4]["system"] = "gpu"
    assert findings(spec) == []


@pytest.mark.parametrize(
    ("bend", "says"),
    [
        ({"min": "0.85", "max": "0.9"}, "spec.gates[0]: set exactly one of min, max, maxDrop; found min, max"),
        ({}, "spec.gates[0]: set exactly one of min, max, maxDrop; found none"),
        ({"maxDrop": "0.02"}, "spec.gates[0]: comparedTo belongs to maxDrop: set both, or neither"),
        ({"min": "0.85", "comparedTo": "tune"}, "spec.gates[0]: comparedTo belongs to maxDrop: set both, or neither"),
        ({"min": "85 %"}, "spec.gates[0].min: '85 %' is not a decimal number as text such as \"0.85\""),
        ({"min": "nan"}, "spec.gates[0].min: 'nan' is not a decimal number as text such as \"0.85\""),
        ({"min": 0.85}, 'spec.gates[0].min: a text is asked for (write it in quotes: "0.85")'),
    ],
)
def test_what_is_no_gate_is_refused(bend, says):
    assert findings(gated_spec({"metric": "accuracy", "after": "int4"} | bend)) == [says]


def test_the_api_server_checks_which_bounds_stand_together():
    rules = crd_schema()["properties"]["spec"]["properties"]["gates"]["items"]["x-kubernetes-validations"]
    assert [rule["rule"] for rule in rules] == [
        "has(self.maxDrop) == has(self.comparedTo)",
        "[has(self.min), has(self.max), has(self.maxDrop)].filter(set, set).size() == 1",
    ]


def test_candidates_that_are_gated_are_right_and_the_last_needs_no_gate():
    assert findings(gated_spec(GATE, candidates=["int4", "merge"])) == []


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        (
            ["merge", "int4"],
            "spec.candidates[0]: no gate looks at 'merge', so that those after it are never tried"
            " (add a gate with after: merge, or put it last)",
        ),
        (["int4", "int8"], "spec.candidates[1]: no pass is named 'int8' (use one of: tune, merge, int4)"),
        (["int4", "check"], "spec.candidates[1]: 'check' only measures (name the pass that it measures: int4)"),
        (["int4", "int4"], "spec.candidates[1]: 'int4' is named twice (name each once)"),
    ],
)
def test_candidates_that_could_not_be_published_are_refused(candidates, says):
    assert findings(gated_spec(GATE, candidates=candidates)) == [says]
