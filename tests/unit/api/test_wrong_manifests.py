"""A hundred manifests, each wrong in one way: what is told of each, and that the API server refuses what it can."""

import jsonschema
import pytest

from finetune_api.crd import render
from finetune_api.validate import parse
from finetune_cli.manifest import check
from schemas import crd_schema
from wrong_inputs import by_name, good_manifest, mistakes

SCHEMA = mistakes("schema")
SPEC = mistakes("spec")


@pytest.fixture(scope="module")
def crd():
    return jsonschema.Draft4Validator(crd_schema())


def test_the_manifest_that_mistakes_are_made_in_has_none(crd):
    assert check(good_manifest()).valid
    assert list(crd.iter_errors(good_manifest())) == []


@pytest.mark.parametrize("mistake", [*SCHEMA, *SPEC], ids=by_name)
def test_a_mistake_is_told_with_its_place_and_what_to_do(mistake):
    problems = [str(problem) for problem in parse(mistake.manifest().get("spec", {}))[1]]
    assert any(text.startswith(mistake.where) and mistake.says in text for text in problems), problems


@pytest.mark.parametrize("mistake", SCHEMA, ids=by_name)
def test_the_api_server_has_what_it_needs_to_refuse_it(crd, mistake):
    """By the schema, by a rule with a message of its own, or since a field is unknown and a list's key used twice."""
    by_schema = not crd.is_valid(mistake.manifest())
    by_rule = mistake.server in render()
    assert by_schema or by_rule or mistake.server.startswith(("unknown field", "Duplicate value"))


@pytest.mark.parametrize("mistake", SPEC, ids=by_name)
def test_what_only_validation_finds_passes_the_api_server(crd, mistake):
    """Else it belongs into schema.yaml."""
    assert crd.is_valid(mistake.manifest())
