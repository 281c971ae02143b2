"""One export takes the adapters of several passes, where they belong to one base and lie on the same layers."""

import pytest

from adapter_specs import EXPORT, adapters_spec
from api_specs import wire_pass
from finetune_api.gates import pairs
from finetune_api.plan import adapters_of, measured_adapter, plan, reference_adapter
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.validate import parse
from finetune_runner.cache_keys.lineage import origins

PLACE = "spec.passes[2].extractAdapters.furtherAdapters[0]"
APART = "export it by an extractAdapters pass of its own"
OTHER_LAYERS = (
    "the adapter of 'mood' lies on o_proj, that of 'tone' on all linear layers"
    f" (give both passes the same targetModules, or {APART})"
)


def spec_with(*further, **parts):
    return FineTuneJobSpec.model_validate(adapters_spec(*further, **parts))


def findings(spec):
    return [str(problem) for problem in parse(spec)[1]]


def test_an_export_is_planned_with_all_of_its_adapters():
    chain = plan(spec_with("mood"))
    export = chain.pass_named(EXPORT)

    assert (export.input, export.further_adapters) == ("tone", ("mood",))
    assert origins(chain, export) == {"input": "tone", "base": "base", "adapter mood": "mood"}


def test_adapters_come_in_the_turn_of_the_first_candidate_that_needs_them():
    spec = adapters_spec("mood")
    spec["passes"].insert(1, {"name": "alone", "system": "cpu", "input": "tone", "extractAdapters": {}})
    spec |= {"candidates": ["alone", EXPORT]}

    turns = {step.name: step.turn for step in plan(FineTuneJobSpec.model_validate(spec)).passes}

    assert turns == {"tone": 0, "alone": 0, "mood": 1, EXPORT: 1, "check": 1}


@pytest.mark.parametrize(("measured", "found"), [("", "tone"), ("tone", "tone"), ("mood", "mood")])
def test_the_adapter_of_the_input_is_measured_unless_another_is_named(measured, found):
    spec = spec_with("mood", measured=measured)
    assert findings(adapters_spec("mood", measured=measured)) == []
    assert adapters_of(spec, EXPORT) == ("tone", "mood")
    assert measured_adapter(spec, 3) == found


def test_an_export_of_one_adapter_has_none_to_choose():
    spec = spec_with()
    assert findings(adapters_spec()) == []
    assert (adapters_of(spec, EXPORT), measured_adapter(spec, 3)) == ((), "")
    assert findings(adapters_spec(measured="tone")) == [
        "spec.passes[3].evaluate.adapter: 'export' is no export with furtherAdapters, so there is none to choose"
        " (leave adapter out, or name an export with furtherAdapters by input)"
    ]


def test_another_export_is_compared_with_over_the_adapter_that_is_measured():
    spec = adapters_spec("mood", measured="mood")
    spec["passes"][3]["evaluate"]["comparedTo"] = "other"
    spec["passes"].insert(2, spec["passes"][2] | {"name": "other"})
    assert reference_adapter(FineTuneJobSpec.model_validate(spec), 4) == "mood"


def test_an_adapter_that_the_export_lacks_is_not_measured():
    assert findings(adapters_spec("mood", measured="check")) == [
        "spec.passes[3].evaluate.adapter: no adapter of 'export' is named 'check' (use one of: tone, mood)"
    ]


DORA = {"name": "calm", "system": "gpu", "input": "base", "dora": {"trainData": "tones"}}


def test_no_adapter_is_offered_that_would_be_refused():
    spec = adapters_spec("moods")
    spec["passes"].insert(1, DORA)
    assert findings(spec) == [
        "spec.passes[3].extractAdapters.furtherAdapters[0]: no earlier pass with a further adapter is named 'moods'"
        " (use one of: mood)"
    ]

    spec = adapters_spec("mood", "calm", "mood", measured="moods")
    spec["passes"].insert(1, DORA)
    assert findings(spec)[-1] == (
        "spec.passes[4].evaluate.adapter: no adapter of 'export' is named 'moods' (use one of: tone, mood)"
    )


@pytest.mark.parametrize("source", ["base", "moods"])
def test_an_export_of_what_is_no_adapter_offers_none(source):
    spec = adapters_spec("mood", measured="calm")
    spec["passes"][2]["input"] = source
    assert (
        "spec.passes[3].evaluate.adapter: no adapter of 'export' is named 'calm' (there is none; define one first)"
    ) in findings(spec)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("moods", "no earlier pass with a further adapter is named 'moods' (use one of: mood)"),
        ("check", "no earlier pass with a further adapter is named 'check' (use one of: mood)"),
        (EXPORT, "no earlier pass with a further adapter is named 'export' (use one of: mood)"),
        ("tone", "'tone' is the input, whose adapter is there anyway (name each pass once)"),
    ],
    ids=["unknown", "later", "itself", "input"],
)
def test_a_name_that_adds_no_adapter_is_refused(name, says):
    assert findings(adapters_spec(name)) == [f"{PLACE}: {says}"]


def test_an_adapter_that_is_named_twice_is_refused():
    assert findings(adapters_spec("mood", "mood")) == [
        "spec.passes[2].extractAdapters.furtherAdapters[1]: 'mood' is named twice (name each pass once)"
    ]


@pytest.mark.parametrize(
    ("mood", "says"),
    [
        (
            wire_pass("mood", "gpu", "merge", input="tone"),
            "'mood' makes no adapter (name a pass that tunes one (lora, qlora or loftq))",
        ),
        (
            {"name": "mood", "system": "gpu", "input": "base", "dora": {"trainData": "tones"}},
            "the magnitudes of a DoRA adapter ('mood') have no place in an ONNX adapter"
            " (tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder)",
        ),
        (
            {"name": "mood", "system": "gpu", "input": "base", "lora": {"trainData": "tones", "newTokens": ["<x>"]}},
            "'mood' has embeddings of new tokens (newTokens), which have no place in an ONNX adapter"
            " (leave newTokens out, or merge the adapter and export with modelBuilder)",
        ),
        (
            {
                "name": "mood",
                "system": "gpu",
                "input": "base",
                "lora": {"trainData": "tones", "targetModules": ["o_proj"]},
            },
            OTHER_LAYERS,
        ),
    ],
    ids=["no adapter", "magnitudes", "new tokens", "other layers"],
)
def test_an_adapter_that_can_not_go_over_the_graph_is_refused(mood, says):
    spec = adapters_spec("mood")
    spec["passes"][1] = mood
    assert findings(spec) == [f"{PLACE}: {says}"]


def test_an_adapter_of_another_base_is_refused():
    spec = adapters_spec("mood")
    spec["passes"].insert(1, wire_pass("merged", "cpu", "merge", input="tone"))
    spec["passes"][2]["input"] = "merged"
    assert findings(spec) == [
        "spec.passes[3].extractAdapters.furtherAdapters[0]: the adapter of 'mood' belongs to 'merged', that of 'tone'"
        f" to 'base' (name passes that tune the same model, or {APART})"
    ]


def gated(gate, measured):
    """Both tuning passes and the export measured, the latter with some of its adapters."""
    spec = adapters_spec("mood", gates=[gate])
    [*makers, check] = spec["passes"]
    tuned = [
        check | {"name": f"{name}-check", "input": name, "evaluate": dict(check["evaluate"])}
        for name in ("tone", "mood")
    ]
    spec["passes"] = makers + tuned
    for check_of in tuned:
        check_of["evaluate"].pop("adapter")
    for name in measured:
        evaluation = check["evaluate"] | {"adapter": name}
        spec["passes"].append(check | {"name": f"export-{name}", "input": EXPORT, "evaluate": evaluation})
    return spec


AGAINST_MOOD = {"metric": "accuracy", "after": EXPORT, "maxDrop": "0.02", "comparedTo": "mood"}


def test_a_gate_that_compares_with_a_tuning_pass_looks_at_its_adapter_alone():
    spec = gated(AGAINST_MOOD, measured=["tone", "mood"])
    assert findings(spec) == []
    parsed = FineTuneJobSpec.model_validate(spec)
    [(mine, other)] = pairs(parsed, parsed.gates[0])
    assert (mine.step, other.step) == ("export-mood", "mood-check")


def test_a_gate_looks_at_every_adapter_that_is_measured_otherwise():
    spec = FineTuneJobSpec.model_validate(
        gated({"metric": "accuracy", "after": EXPORT, "min": "0.5"}, measured=["tone", "mood"])
    )
    assert [mine.adapter for mine, _ in pairs(spec, spec.gates[0])] == ["tone", "mood"]


def test_a_gate_on_an_adapter_that_is_not_measured_is_refused():
    assert findings(gated(AGAINST_MOOD, measured=["tone"])) == [
        "spec.gates[0].comparedTo: nothing measures accuracy of 'export' with the adapter of 'mood'"
        " (add an evaluate pass with input: export and adapter: mood)"
    ]
