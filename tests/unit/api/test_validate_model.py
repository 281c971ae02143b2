"""What is said about an input model whose format and fields don't go together."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

AT = "spec.inputModel"


def findings(**fields):
    spec = wire_spec()
    spec["inputModel"] |= fields
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "gguf", "ggufFile": "q4/phi3.Q4_K_M.gguf"},
        {"ggufFile": "phi3.gguf"},
        {"format": "mlflow", "allowPickle": True},
        {"allowPickle": True},
    ],
)
def test_what_goes_together_is_accepted(fields):
    assert findings(**fields) == []


@pytest.mark.parametrize("other", ["transformers", "mlflow"])
def test_a_gguf_file_of_another_format_is_refused(other):
    [found] = findings(format=other, ggufFile="phi3.gguf")
    assert found.startswith(f"{AT}.ggufFile: has no meaning with format {other}")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("*.gguf", "is a pattern"),
        ("phi3-{a,b}.gguf", "is a pattern"),
        ("phi3.bin", "does not end with .gguf"),
        ("/phi3.gguf", "is not a path below the source"),
        ("../phi3.gguf", "is not a path below the source"),
    ],
)
def test_a_gguf_file_is_one_files_path_below_the_source(name, why):
    [found] = findings(ggufFile=name)
    assert found.startswith(f"{AT}.ggufFile: {name!r} {why}")


@pytest.mark.parametrize("gguf", [{"format": "gguf"}, {"ggufFile": "phi3.gguf"}])
def test_pickles_are_not_allowed_where_there_are_none(gguf):
    [found] = findings(allowPickle=True, **gguf)
    assert found.startswith(f"{AT}.allowPickle: has no meaning for a .gguf file")


def test_an_unknown_format_is_refused_with_those_there_are():
    assert "use one of: auto, transformers, gguf, mlflow" in findings(format="onnx")[0]
