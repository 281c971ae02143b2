"""Gates, with a real store: what has passed is published; what has not is kept, and judged anew from the store."""

import json

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from finetune_runner.progress.state import ProgressState
from finetune_runner.stage import run_stage
from finished_passes import finish_passes

TUNE = {"name": "tune", "lora": {"r": 4, "trainData": "tones", "training": {"maxSteps": 2}}}
TUNED_CHECK = {"name": "tuned-check", "evaluate": {"evaluator": "tone", "data": "tones"}}
MERGE = {"name": "merge", "input": "tune", "mergeAdapterWeights": {}}
INT4 = {"name": "int4", "modelBuilder": {"algorithm": "rtn"}}
CHECK = {"name": "check", "evaluate": {"evaluator": "tone", "data": "tones"}}
CHAIN = ("tune", "tuned-check", "merge", "int4", "check")
EVALUATORS = [{"name": "tone", "metrics": [{"name": "loss", "loss": {}}]}]


def gate(**bound):
    return {"metric": "loss", "after": "int4", **bound}


def drop(most):
    return gate(maxDrop=most, comparedTo="tune")


def gated(place, *gates, **parts):
    passes = parts.pop("passes", [TUNE, TUNED_CHECK, MERGE, INT4, CHECK])
    return place.spec(passes=passes, evaluators=EVALUATORS, gates=list(gates), **parts)


def finished(place, tuned="0.5000", int4="0.6000"):
    """The store of a job whose passes are all committed, with these losses."""
    spec = gated(place)
    prepare(place.job(spec), Outcome(kind="prepare"))
    finish_passes(place, CHAIN[:2], spec=spec, metrics={"loss": tuned})
    finish_passes(place, CHAIN[2:], spec=spec, metrics={"loss": int4})
    return place


def prepared(place, *gates, **parts):
    """Another job over the same passes, with these gates; its last word, and why it failed."""
    outcome, failure = Outcome(kind="prepare"), None
    try:
        prepare(place.job(gated(place, *gates, **parts)), outcome)
    except FineTuneError as error:
        failure = error
    return outcome.message(failure, first=frozenset()), failure


def staged(place, tiny_phi3, spec):
    """What the only stage of a job ends with, over a model that can be trained; its last word, and why it failed."""
    for key in place.bucket.object_keys("base/"):
        place.bucket.delete(key)
    place.bucket.upload(tiny_phi3, "base")
    prepare(place.job(spec), Outcome(kind="prepare"))
    outcome, failure = Outcome(kind="stage"), None
    try:
        run_stage(place.job(spec), 0, outcome, ProgressState())
    except FineTuneError as error:
        failure = error
    return outcome.message(failure, first=frozenset()), failure


def test_what_has_passed_its_gates_is_published_with_their_outcome(place):
    message, failure = prepared(finished(place).another(), gate(max="0.6"), drop("0.1"))

    assert failure is None
    assert [(told.passed, told.value) for told in message.gates] == [(True, "0.6000"), (True, "0.1000")]
    assert message.published.uri == f"s3://{place.bucket.name}/out"
    report = json.loads(place.bucket.get("out/report.json"))
    assert [(told["requirement"], told["figure"], told["passed"]) for told in report["gates"]] == [
        ("at most 0.6", "0.6000", True),
        ("at most 0.1 worse than tune", "0.6000", True),
    ]


def test_a_missed_gate_publishes_nothing_and_keeps_everything(place):
    finished(place)
    before = place.bucket.object_keys("store/team/cache/")
    other = place.another()
    message, failure = prepared(other, gate(max="0.55"), gate(max="0.9"))

    assert failure.reason is Reason.GATE_FAILED
    assert failure.message == "loss after int4 is 0.6000, 0.0500 above the 0.55 that it may be at most"
    assert "algorithm: k_quant" in failure.remedy
    assert message.published is None
    assert [(told.passed, told.value) for told in message.gates] == [(False, "0.6000"), (True, "0.6000")]
    assert all(step.digest for step in message.passes)
    assert place.bucket.object_keys("out/") == []
    assert place.bucket.object_keys("store/team/cache/") == before
    report = json.loads(place.bucket.get(f"store/team/jobs/{other.uid}/report.json"))
    assert report["gates"][0]["missed"] == failure.message


def test_a_gate_of_its_own_is_judged_by_what_lies_in_the_store(place):
    """Another job with an achievable bound: nothing is to do but to publish."""
    _, failure = prepared(finished(place).another(), drop("0.05"))
    assert failure.reason is Reason.GATE_FAILED

    message, failure = prepared(place.another(), drop("0.10"))

    assert failure is None
    assert message.published is not None
    assert "out/manifest.json" in place.bucket.object_keys("out/")


def test_where_a_candidate_misses_its_gate_the_next_is_published(place):
    """The merged model, which lost less."""
    finished(place)
    message, failure = prepared(place.another(), gate(max="0.55"), candidates=["int4", "merge"])

    assert failure is None
    assert [told.passed for told in message.gates] == [False]
    assert (message.published.index, message.published.format) == (2, "safetensors")
    assert "out/model.safetensors" in place.bucket.object_keys("out/")
    assert "out/model.onnx" not in place.bucket.object_keys("out/")


MIXED = {"name": "mixed", "input": "merge", "modelBuilder": {"algorithm": "k_quant_mixed"}}
MIXED_CHECK = {"name": "mixed-check", "evaluate": {"evaluator": "tone", "data": "tones"}}


def tried_in_turn(place, most):
    """What prepare says of a job that is to try mixed where int4, which is measured, misses its gate."""
    passes = [TUNE, TUNED_CHECK, MERGE, INT4, CHECK, MIXED, MIXED_CHECK]
    return prepared(finished(place).another(), gate(max=most), passes=passes, candidates=["int4", "mixed"])


def test_a_candidate_that_passes_is_published_without_the_next_one(place):
    message, failure = tried_in_turn(place, "0.6")
    assert failure is None
    assert message.published.index == 3
    assert [told.passed for told in message.gates] == [True]
    assert [bool(step.digest) for step in message.passes] == [True] * 5 + [False] * 2


def test_a_candidate_that_misses_leaves_the_next_to_be_made_and_nothing_decided(place):
    message, failure = tried_in_turn(place, "0.55")
    assert failure is None
    assert (message.published, message.gates) == (None, [])


def test_a_stage_ends_with_the_first_candidate_that_passes(place, tiny_phi3):
    """The merged model; no export is made."""
    merge_check = {**CHECK, "name": "merge-check"}
    spec = place.spec(
        passes=[TUNE, MERGE, INT4, CHECK, {**merge_check, "input": "merge"}],
        evaluators=EVALUATORS,
        gates=[{**gate(max="20"), "after": "merge"}, gate(max="20")],
        candidates=["merge", "int4"],
    )

    message, failure = staged(place, tiny_phi3, spec)

    assert failure is None
    assert [told.passed for told in message.gates] == [True, None]
    assert [bool(step.digest) for step in message.passes] == [True, True, False, False, True]
    assert "out/model.safetensors" in place.bucket.object_keys("out/")


def test_an_artifact_published_before_is_left_alone_by_a_missed_gate(place):
    prepared(finished(place).another(), gate(max="0.9"))
    before = place.bucket.get("out/report.json")

    _, failure = prepared(place.another(), gate(max="0.1"))

    assert failure.reason is Reason.GATE_FAILED
    assert place.bucket.get("out/report.json") == before


def test_gates_are_judged_when_all_is_measured_and_not_before(place):
    message, failure = prepared(place, gate(max="0.1"))
    assert failure is None
    assert message.gates == []


@pytest.mark.usefixtures("builder_here")
@pytest.mark.parametrize(("most", "reason"), [("20", None), ("0.000001", Reason.GATE_FAILED)], ids=["kept", "missed"])
def test_a_real_chain_publishes_only_if_its_model_keeps_the_gate(place, tiny_phi3, most, reason):
    spec = place.spec(passes=[TUNE, MERGE, INT4, CHECK], evaluators=EVALUATORS, gates=[gate(max=most)])

    message, failure = staged(place, tiny_phi3, spec)

    assert (failure.reason if failure else None) is reason
    assert message.gates[0].passed == (reason is None)
    assert float(message.gates[0].value) > 0
    assert ("out/manifest.json" in place.bucket.object_keys("out/")) == (reason is None)
    assert [bool(step.digest) for step in message.passes] == [True] * 4
