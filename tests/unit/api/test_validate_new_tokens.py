"""What is said of new tokens that can't be added, or not carried where the chain goes."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

LORA = "spec.passes[0].lora"


def findings(passes=None, **fields):
    spec = wire_spec(passes)
    spec["passes"][0]["lora"] |= {"newTokens": ["<joy>", "<fear>"]} | fields
    return [str(problem) for problem in parse(spec)[1]]


def test_new_tokens_can_be_tuned_merged_and_exported():
    assert findings() == []


def test_a_token_named_twice_is_refused():
    assert findings(newTokens=["<joy>", "<fear>", "<joy>"]) == [
        f"{LORA}.newTokens[2]: '<joy>' is named twice (name it once)"
    ]


@pytest.mark.parametrize("token", ["", " <joy>", "<joy>\n", "a\nb"])
def test_a_token_is_on_one_line_and_without_space_around_it(token):
    [problem] = findings(newTokens=[token])
    assert problem.startswith(f"{LORA}.newTokens[0]: ")


@pytest.mark.parametrize("field", ["targetModules", "modulesToSave"])
@pytest.mark.parametrize("name", ["lm_head", "model.embed_tokens"])
def test_their_rows_have_no_second_adapter(field, name):
    assert findings(**{field: ["q_proj", name]}) == [
        f"{LORA}.{field}[1]: newTokens trains rows of {name!r}, which can't have another adapter"
        " (leave one of the two out)"
    ]
    assert findings(newTokens=[], **{field: [name]}) == []


@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_kinds_of_adapter_that_have_no_place_for_them_have_no_such_field(kind):
    spec = wire_spec([("tune", "gpu", "lora")])
    spec["passes"][0][kind] = spec["passes"][0].pop("lora") | {"newTokens": ["<joy>"]}
    assert any(f"spec.passes[0].{kind}.newTokens: unknown field" in str(problem) for problem in parse(spec)[1])


def test_an_onnx_adapter_has_no_place_for_them():
    spec = wire_spec([("tune", "gpu", "lora")])
    spec["passes"][0]["lora"]["newTokens"] = ["<joy>"]
    spec["passes"].append({"name": "extract", "system": "cpu", "extractAdapters": {}})
    assert [str(problem) for problem in parse(spec)[1]] == [
        "spec.passes[1].extractAdapters: 'tune' has embeddings of new tokens (newTokens), which have no place in an"
        " ONNX adapter (leave newTokens out, or merge the adapter and export with modelBuilder)"
    ]
