"""What is said of a plugin pass where no plugin is installed: its place in the chain, its size, its image."""

import pytest

from api_specs import wire_pass, wire_spec
from finetune_api.plan import BASE, Product, plan, prepare_system
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.plugin import Plugin
from finetune_api.validate import parse
from schemas import crd_schema


def plugin(name="soup", system="cpu", **more):
    return {"name": name, "system": system, "plugin": {"name": "soup", **more}}


def wire(*passes, **parts):
    return wire_spec(**parts) | {"passes": list(passes)}


def problems(*passes, **parts):
    return [str(problem) for problem in parse(wire(*passes, **parts))[1]]


def planned(*passes, **parts):
    return plan(FineTuneJobSpec.model_validate(wire(*passes, **parts)))


TUNE, MERGE, INT4 = (wire_pass(*step) for step in (("t", "gpu", "lora"), ("m", "cpu", "merge"), ("o", "cpu", "build")))


def test_a_plugin_makes_a_model_unless_it_says_otherwise():
    assert problems(plugin(), TUNE, MERGE, plugin("again"), INT4) == []
    assert planned(plugin()).candidates[0].product is Product.MODEL


@pytest.mark.parametrize("product", list(Product))
def test_it_can_make_whatever_passes_make(product):
    assert planned(plugin(produces=product.value)).passes[0].product is product


def test_what_it_makes_must_fit_the_pass_after_it():
    [problem] = problems(plugin(produces="onnx"), TUNE)
    assert problem.startswith("spec.passes[1]: lora works on a model, but 'soup' makes an ONNX model")


def test_a_plugin_that_only_measures_is_passed_over():
    chain = planned(TUNE, plugin(produces="figures"), MERGE)
    assert chain.pass_named("m").input == "t"


def test_figures_are_nothing_to_work_on():
    [problem] = problems(plugin("look", produces="figures"), plugin() | {"input": "look"})
    assert problem.startswith("spec.passes[1].input: plugin works on")


def test_an_adapter_made_from_an_adapter_belongs_to_the_same_model():
    chain = planned(TUNE, plugin(produces="adapter"), MERGE)
    assert chain.pass_named("soup").base == BASE
    assert planned(plugin("first"), plugin(produces="adapter")).pass_named("soup").base == "first"


def test_a_config_has_a_limit():
    [problem] = problems(plugin(config={"text": "x" * 17000}))
    assert problem.startswith("spec.passes[0].plugin.config: 17012 bytes of JSON")
    assert problems(plugin(config={f"f{number}": 1 for number in range(65)})) != []


def test_a_null_in_a_config_is_a_field_that_is_not_there():
    given = Plugin(name="soup", config={"a": None, "b": {"c": None, "d": [1, None]}})
    assert given.config == {"b": {"d": [1, None]}}


def test_all_plugins_are_in_one_image():
    systems = [{"name": "gpu", "accelerator": {}, "image": "a:1"}, {"name": "cpu", "image": "b:1"}]
    [problem] = problems(plugin("one", "gpu"), plugin("two", "cpu"), systems=systems)
    assert problem.startswith("spec.passes[1].plugin: system 'cpu' has another image than 'gpu'")
    [problem] = problems(plugin("one", "gpu"), systems=systems, prepare={"system": "cpu"})
    assert problem.startswith("spec.passes[0].plugin: system 'gpu' has another image than 'cpu'")


def test_prepare_shares_the_system_of_the_first_plugin_unless_it_has_its_own():
    assert prepare_system(FineTuneJobSpec.model_validate(wire(TUNE, plugin()))) == "cpu"
    named = wire(TUNE, plugin(), prepare={"system": "gpu"})
    assert prepare_system(FineTuneJobSpec.model_validate(named)) == "gpu"
    assert prepare_system(FineTuneJobSpec.model_validate(wire(TUNE))) == ""


def test_the_api_server_keeps_what_a_config_says():
    step = crd_schema()["properties"]["spec"]["properties"]["passes"]["items"]["properties"]["plugin"]
    config = step["properties"]["config"]
    assert (config["type"], config["maxProperties"]) == ("object", 64)
    assert config["additionalProperties"] == {"x-kubernetes-preserve-unknown-fields": True}
