"""How a spec becomes stages."""

from api_specs import spec_of, wire_spec
from finetune_api.plan import BASE, Product, plan
from finetune_api.resource.job import FineTuneJobSpec


def test_consecutive_passes_on_one_system_share_a_stage():
    chain = plan(spec_of(passes=[("tune", "gpu", "lora"), ("merge", "cpu", "merge"), ("int4", "cpu", "build")]))

    assert [(s.system.name, [p.name for p in s.passes]) for s in chain.stages] == [
        ("gpu", ["tune"]),
        ("cpu", ["merge", "int4"]),
    ]


def test_a_system_that_returns_later_is_a_stage_of_its_own():
    chain = plan(spec_of(passes=[("check", "cpu", "evaluate"), ("tune", "gpu", "lora"), ("merge", "cpu", "merge")]))

    assert [s.system.name for s in chain.stages] == ["cpu", "gpu", "cpu"]


def test_a_pass_works_on_the_previous_pass_that_makes_a_model():
    chain = plan(spec_of(passes=[("tune", "cpu", "lora"), ("check", "cpu", "evaluate"), ("merge", "cpu", "merge")]))

    assert [p.input for p in chain.passes] == [BASE, "tune", "tune"]


def test_an_adapter_remembers_the_model_it_belongs_to():
    chain = plan(spec_of(passes=[("tune", "cpu", "lora"), ("merge", "cpu", "merge")]))

    assert chain.pass_named("tune").base == BASE
    assert chain.pass_named("merge").base == ""


def test_an_evaluation_remembers_what_it_is_compared_with():
    spec = wire_spec(passes=[("tune", "cpu", "lora"), ("check", "cpu", "evaluate")])
    spec["passes"][1]["evaluate"]["comparedTo"] = BASE

    chain = plan(FineTuneJobSpec.model_validate(spec))

    assert [step.compared_to for step in chain.passes] == ["", BASE]


def test_the_artifact_is_what_the_last_model_making_pass_made():
    chain = plan(spec_of(passes=[("tune", "cpu", "lora"), ("merge", "cpu", "merge"), ("check", "cpu", "evaluate")]))

    assert [(step.name, step.product) for step in chain.candidates] == [("merge", Product.MODEL)]


def test_a_chain_that_only_measures_has_no_artifact():
    assert plan(spec_of(passes=[("check", "cpu", "evaluate")])).candidates == ()


def test_a_pass_without_a_system_runs_on_the_engines_host():
    chain = plan(spec_of(passes=[("tune", "", "lora")], engine={"host": "gpu"}))

    assert chain.passes[0].system == "gpu"


def test_candidates_are_what_may_be_published_in_the_specs_order():
    chain = plan(spec_of(candidates=["int4", "merge"]))
    assert [step.name for step in chain.candidates] == ["int4", "merge"]
