"""The JSON schema for editors, and the list of passes."""

import json

import pytest

from command_line import REPOSITORY
from finetune_api.editor_schema import render
from finetune_api.resource.passes import Pass

SCHEMA = REPOSITORY / "crds" / "finetunejob.schema.json"


def test_the_committed_schema_has_not_drifted():
    assert SCHEMA.read_text() == render(), "run make generate"


def test_the_command_prints_it(finetune):
    assert finetune("schema").out == SCHEMA.read_text()


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_tells_editors_where_the_schema_is(example):
    first = example.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (example.parent / first.rpartition("=")[2]).resolve() == SCHEMA


def test_it_wants_exactly_one_variant_and_knows_no_other_field():
    step = json.loads(SCHEMA.read_text())["definitions"]["Pass"]
    assert {"required": ["mergeAdapterWeights"]} in step["oneOf"]
    assert step["additionalProperties"] is False


def test_nothing_in_it_is_for_kubernetes_alone_or_null():
    text = SCHEMA.read_text()
    assert "x-kubernetes" not in text
    assert '"null"' not in text
    assert "$defs" not in text


def test_passes_lists_every_pass_with_every_field(finetune):
    out = finetune("passes").out
    for alias in Pass.variant_aliases():
        assert f"\n{alias}\n" in f"\n{out}"
    assert "training.learningRate (number, default 0.0002)" in out
    assert "trainData (string, required)" in out


def test_passes_shows_only_what_is_asked_for(finetune):
    out = finetune("passes", "mergeAdapterWeights").out
    assert out.startswith("mergeAdapterWeights")
    assert "learningRate" not in out


def test_an_unknown_pass_is_refused_with_the_known_ones(finetune):
    ended = finetune("passes", "lorra")
    assert (ended.code, "there is lora, qlora" in ended.err) == (2, True)
