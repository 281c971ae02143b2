"""Candidates are tried one after the other: what is made in whose turn, and when that is over."""

from typing import Any

import pytest

from api_specs import wire_pass
from finetune_api.gates import skipped, standing
from finetune_api.plan import Plan, plan
from finetune_api.resource.job import FineTuneJobSpec
from gated_specs import gated_spec

LEAST = {"metric": "accuracy", "min": "0.85"}
AFTER_INT4, AFTER_MIXED = {**LEAST, "after": "int4"}, {**LEAST, "after": "mixed"}


def two_exports(*gates: dict[str, Any], **parts: Any) -> FineTuneJobSpec:
    """tune, tuned-check, merge, int4, check, and then mixed, mixed-check; int4 is to be tried first."""
    spec = gated_spec(*gates, **({"candidates": ["int4", "mixed"]} | parts))
    spec["passes"] += [wire_pass("mixed", "cpu", "build", input="merge"), wire_pass("mixed-check", "cpu", "evaluate")]
    return FineTuneJobSpec.model_validate(spec)


def turns_of(spec: FineTuneJobSpec) -> dict[str, int]:
    return {step.name: step.turn for step in plan(spec).passes}


def made_later(spec: FineTuneJobSpec) -> set[str]:
    return {name for name, turn in turns_of(spec).items() if turn}


def test_what_only_a_later_candidate_needs_is_made_in_its_turn():
    assert made_later(two_exports(AFTER_INT4, AFTER_MIXED)) == {"mixed", "mixed-check"}


def test_without_candidates_everything_is_made():
    assert made_later(two_exports(AFTER_INT4, candidates=[])) == set()


def test_what_measures_a_later_candidate_waits_with_it_though_no_gate_looks_at_it():
    assert made_later(two_exports(AFTER_INT4)) == {"mixed", "mixed-check"}


def test_a_measurement_of_what_is_there_already_does_not_wait():
    """It would need a pod of its own later."""
    spec = two_exports(AFTER_INT4, {**LEAST, "after": "tune"}, candidates=["int4", "tune"])
    assert made_later(spec) == set()


def test_a_merge_that_only_a_later_candidate_is_made_from_waits_with_it():
    spec = two_exports(AFTER_INT4)
    other = spec.passes[2].model_copy(update={"name": "other-merge"})
    mixed = spec.passes[5].model_copy(update={"input": "other-merge"})
    spec = spec.model_copy(update={"passes": [*spec.passes[:5], other, mixed, spec.passes[6]]})
    assert made_later(spec) == {"other-merge", "mixed", "mixed-check"}


def test_a_later_candidate_that_an_earlier_one_is_compared_with_is_made_before_it_is_judged():
    spec = two_exports({"metric": "accuracy", "after": "int4", "maxDrop": "0.02", "comparedTo": "mixed"})
    assert made_later(spec) == set()


def test_a_candidate_that_another_is_made_from_does_not_wait():
    assert made_later(two_exports(AFTER_INT4, candidates=["int4", "merge"])) == set()


def test_stages_go_turn_by_turn_though_the_spec_has_a_later_candidate_first():
    """So that nothing of a later turn stands before what decides whether it comes."""
    spec = two_exports(AFTER_INT4, AFTER_MIXED, candidates=["mixed", "int4"])
    order = [step.name for stage in plan(spec).stages for step in stage.passes]
    assert order == ["tune", "tuned-check", "merge", "mixed", "mixed-check", "int4", "check"]


FIRST = ["tune", "tuned-check", "merge", "int4", "check"]
ALL = [*FIRST, "mixed", "mixed-check"]
GATES = (AFTER_INT4, AFTER_MIXED, {**LEAST, "after": "tune"})


@pytest.mark.parametrize(
    ("committed", "passed", "turn", "decided"),
    [
        (FIRST[:4], [None, None, True], 0, False),
        (FIRST, [True, None, True], 0, True),
        (FIRST, [False, None, True], 1, False),
        (FIRST, [False, None, False], 0, True),
        (FIRST, [True, None, False], 0, True),
        (ALL, [False, True, True], 1, True),
        (ALL, [False, False, True], 1, True),
        (ALL, [True, False, True], 0, True),
    ],
    ids=[
        "not measured yet",
        "the first has passed",
        "the first has missed",
        "a gate on all was missed too",
        "a gate on all was missed",
        "the second has passed",
        "none has passed",
        "both are there",
    ],
)
def test_a_turn_ends_when_all_of_it_is_measured_and_the_next_comes_only_where_it_may_help(
    committed, passed, turn, decided
):
    spec = two_exports(*GATES)
    reached = standing(spec, plan(spec), committed, passed)
    assert (reached.turn, reached.decided) == (turn, decided)


def test_what_is_left_of_later_turns_is_skipped_and_what_is_there_is_not():
    spec = two_exports(*GATES)
    chain: Plan = plan(spec)
    assert skipped(spec, chain, FIRST, [True, None, True]) == {"mixed", "mixed-check"}
    assert skipped(spec, chain, ALL, [True, True, True]) == set()
    assert skipped(spec, chain, FIRST, [False, None, True]) == set()
    assert skipped(spec, chain, FIRST, []) == set()
