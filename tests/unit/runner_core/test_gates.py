"""Whether figures keep their bounds, by how much they miss them, and what is said then."""

from typing import Any

import pytest

from api_specs import wire_pass
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.gating.gates import choose, judge
from gated_specs import gated_spec

DROP = {"after": "int4", "comparedTo": "tune"}


def gated(*gates: dict[str, Any], algorithm: str = "k_quant", precision: str = "int4") -> FineTuneJobSpec:
    spec = gated_spec(*({"after": "int4", **gate} for gate in gates))
    spec["passes"][3]["modelBuilder"] = {"algorithm": algorithm, "precision": precision}
    return FineTuneJobSpec.model_validate(spec)


def figures(tuned: str, int4: str, metric: str = "accuracy") -> dict[str, dict[str, str]]:
    return {"tuned-check": {metric: tuned}, "check": {metric: int4}}


def verdict(gate: dict[str, Any], tuned: str, int4: str):
    [found] = judge(gated(gate), figures(tuned, int4, gate["metric"]))
    return found


@pytest.mark.parametrize(
    ("gate", "tuned", "int4", "passed", "value"),
    [
        ({"metric": "accuracy", "min": "0.85"}, "0.9", "0.8500", True, "0.8500"),
        ({"metric": "accuracy", "min": "0.85"}, "0.9", "0.8499", False, "0.8499"),
        ({"metric": "loss", "max": "0.5"}, "0.4", "0.5000", True, "0.5000"),
        ({"metric": "loss", "max": "0.5"}, "0.4", "0.5001", False, "0.5001"),
        ({"metric": "accuracy", "maxDrop": "0.02", **DROP}, "0.9500", "0.9300", True, "0.0200"),
        ({"metric": "accuracy", "maxDrop": "0.02", **DROP}, "0.9500", "0.9299", False, "0.0201"),
        ({"metric": "accuracy", "maxDrop": "0.02", **DROP}, "0.9300", "0.9500", True, "-0.0200"),
        ({"metric": "loss", "maxDrop": "0.1", **DROP}, "0.4000", "0.5000", True, "0.1000"),
        ({"metric": "loss", "maxDrop": "0.1", **DROP}, "0.4000", "0.5001", False, "0.1001"),
        ({"metric": "loss", "maxDrop": "0.1", **DROP}, "0.5000", "0.4000", True, "-0.1000"),
        ({"metric": "accuracy", "maxDrop": "-0.1", **DROP}, "0.7000", "0.7999", False, "-0.0999"),
        ({"metric": "accuracy", "maxDrop": "-0.1", **DROP}, "0.7000", "0.8000", True, "-0.1000"),
    ],
)
def test_a_figure_passes_up_to_its_bound_and_no_further(gate, tuned, int4, passed, value):
    found = verdict(gate, tuned, int4)
    assert (found.passed, found.value) == (passed, value)


@pytest.mark.parametrize("figure", ["nan", "inf", "-inf", "", "many"])
@pytest.mark.parametrize("bound", [{"min": "0"}, {"max": "9"}, {"maxDrop": "9", **DROP}])
def test_what_is_no_number_never_passes(figure, bound):
    found = verdict({"metric": "loss", **bound}, "0.5", figure)
    assert not found.passed
    assert "no finite number" in found.missed


def test_a_drop_from_what_is_no_number_never_passes():
    assert not verdict({"metric": "loss", "maxDrop": "9", **DROP}, "nan", "0.5").passed


def test_a_figure_measured_twice_is_judged_by_the_worse():
    spec = gated({"metric": "accuracy", "min": "0.85"})
    again = spec.passes[4].model_copy(update={"name": "again"})
    spec = spec.model_copy(update={"passes": [*spec.passes, again]})

    [found] = judge(spec, figures("0.9", "0.9") | {"again": {"accuracy": "0.8"}})

    assert (found.passed, found.measured_by) == (False, "again")


def failure(spec: FineTuneJobSpec, tuned: str, int4: str) -> FineTuneError:
    told = {"tuned-check": {"accuracy": tuned, "loss": "0.3"}, "check": {"accuracy": int4, "loss": "0.9"}}
    with pytest.raises(FineTuneError) as caught:
        choose(spec, ["int4"], judge(spec, told))
    return caught.value


def test_a_missed_gate_says_by_how_much_and_what_helps():
    error = failure(gated({"metric": "accuracy", "min": "0.85"}, algorithm="rtn"), "0.95", "0.8125")
    assert error.reason is Reason.GATE_FAILED
    assert error.path == "spec.gates[0]"
    assert error.message == "accuracy after int4 is 0.8125, 0.0375 below the 0.85 that it must be at least"
    assert error.remedy == (
        "Round int4 with algorithm: k_quant. Train longer (numTrainEpochs, maxSteps), on more rows, or with a larger r."
    )


def test_a_missed_drop_names_both_figures_and_the_next_better_rounding():
    gate = {"metric": "accuracy", "maxDrop": "0.02", **DROP}
    error = failure(gated(gate), "0.9500", "0.9000")
    assert error.message == (
        "accuracy after int4 (0.9000) is 0.0500 worse than tune (0.9500), 0.0300 more than the 0.02 that is allowed"
    )
    assert error.remedy == "Round int4 with algorithm: gptq (with calibrationData) or k_quant_mixed."


@pytest.mark.parametrize(
    ("algorithm", "precision", "remedy"),
    [
        ("k_quant_mixed", "int4", "Round int4 with blockSize: 16, or with precision: int8."),
        ("rtn_last", "int8", "Round int4 with algorithm: k_quant."),
        ("k_quant", "int8", "Round int4 with blockSize: 16, or not at all."),
        ("k_quant_mixed", "int8", "Round int4 with blockSize: 16, or not at all."),
        ("k_quant", "fp32", "Train longer (numTrainEpochs, maxSteps), on more rows, or with a larger r."),
    ],
)
def test_what_helps_follows_from_how_the_model_was_exported(algorithm, precision, remedy):
    gate = {"metric": "accuracy", "maxDrop": "0.02", **DROP}
    assert failure(gated(gate, algorithm=algorithm, precision=precision), "0.95", "0.9").remedy == remedy


@pytest.mark.parametrize(
    ("precision", "remedy"),
    [
        ("fp32", "Export int4 with precision: int4."),
        ("int4", "Export int4 with a larger blockSize, or take a smaller base."),
    ],
)
def test_a_size_is_helped_in_other_ways_than_a_loss(precision, remedy):
    spec = gated({"metric": "size", "max": "1000"}, precision=precision)
    with pytest.raises(FineTuneError, match="size after int4 is 1234, 234 above the 1000") as caught:
        choose(spec, ["int4"], judge(spec, figures("9", "1234", "size")))
    assert caught.value.remedy == remedy


def test_a_pace_is_helped_by_the_machine_and_a_drop_of_it_is_fewer_tokens():
    written = gated_spec({"metric": "pace", "maxDrop": "5", **DROP})
    for step in written["passes"]:
        step["system"] = "cpu"
    spec = FineTuneJobSpec.model_validate(written)
    with pytest.raises(FineTuneError, match=r"pace after int4 \(10\) is 10 worse than tune \(20\), 5 more") as caught:
        choose(spec, ["int4"], judge(spec, figures("20", "10", "pace")))
    assert caught.value.remedy == "Measure it on a system with more CPUs or an accelerator, as its users have."


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, 'Export int4 with extraOptions: {prune_lm_head: "true"}: no logits but of a prompt\'s end.'),
        ({"prune_lm_head": "true"}, "Measure it on a system with more CPUs or an accelerator, as its users have."),
    ],
)
def test_a_first_token_is_helped_by_logits_that_are_not_made(options, remedy):
    written = gated_spec({"metric": "first", "max": "0.1", "after": "int4"})
    written["passes"][3]["modelBuilder"] = {"precision": "int4", "extraOptions": options}
    spec = FineTuneJobSpec.model_validate(written)
    with pytest.raises(FineTuneError) as caught:
        choose(spec, ["int4"], judge(spec, figures("0.05", "0.2", "first")))
    assert caught.value.remedy == remedy


def test_all_missed_gates_are_told_and_the_passed_ones_are_not():
    gates = (
        {"metric": "accuracy", "min": "0.5"},
        {"metric": "accuracy", "min": "0.9"},
        {"metric": "loss", "max": "0.8"},
    )
    error = failure(gated(*gates), "0.95", "0.875")
    assert error.path == "spec.gates[1]"
    assert error.message == (
        "2 of 3 gates are missed:"
        " accuracy after int4 is 0.875, 0.025 below the 0.9 that it must be at least;"
        " loss after int4 is 0.9, 0.1 above the 0.8 that it may be at most"
    )


def test_gates_that_were_not_judged_have_not_passed():
    with pytest.raises(ValueError, match="shorter"):
        choose(gated({"metric": "accuracy", "min": "0.5"}), ["int4"], [])


def test_a_gate_on_what_has_not_been_measured_is_neither_passed_nor_missed():
    spec = gated({"metric": "accuracy", "maxDrop": "0.02", **DROP}, {"metric": "accuracy", "min": "0.9"})
    drop, least = judge(spec, {"check": {"accuracy": "0.8"}})
    assert (drop.passed, drop.value) == (None, "")
    assert least.passed is False
    with pytest.raises(FineTuneError, match=r"^[^;]*accuracy after int4 is 0.8, 0.1 below the 0.9 that it must be"):
        choose(spec, ["int4"], [drop, least])


def test_without_gates_everything_passes():
    assert choose(gated(), ["int4"], []) == "int4"


LEAST = {"metric": "accuracy", "min": "0.85"}


@pytest.mark.parametrize(
    ("merge", "int4", "tuned", "chosen"),
    [
        ("0.90", "0.90", "0.90", "int4"),
        ("0.90", "0.84", "0.90", "merge"),
        ("0.84", "0.90", "0.90", "int4"),
        ("0.84", "0.84", "0.90", None),
        ("0.90", "0.90", "0.79", None),
    ],
)
def test_the_first_candidate_whose_own_and_common_gates_pass_is_chosen(merge, int4, tuned, chosen):
    gates = [{**LEAST, "after": "int4"}, {**LEAST, "after": "merge"}, {**LEAST, "after": "tune", "min": "0.8"}]
    spec = gated_spec(*gates, candidates=["int4", "merge"])
    spec["passes"].insert(3, wire_pass("merge-check", "cpu", "evaluate"))
    spec = FineTuneJobSpec.model_validate(spec)
    verdicts = judge(spec, figures(tuned, int4) | {"merge-check": {"accuracy": merge}})

    if chosen:
        assert choose(spec, spec.candidates, verdicts) == chosen
    else:
        with pytest.raises(FineTuneError) as caught:
            choose(spec, spec.candidates, verdicts)
        assert caught.value.reason is Reason.GATE_FAILED
