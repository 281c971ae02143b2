"""A hundred manifests, each wrong in one way: what is told of each, and that the API server refuses what it can."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from finetune_api.validate import parse
from finetune_cli.manifest import check
from schemas import crd_schema
from wrong_inputs import Mistake, by_name, good_manifest, mistakes

Json = dict[str, Any]
SCHEMA = mistakes("schema")
SPEC = mistakes("spec")


def messages(node: Json) -> Iterator[str]:
    """Of all rules of a schema."""
    yield from (rule["message"] for rule in node.get("x-kubernetes-validations", []))
    inner = [*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")]
    for schema in inner:
        yield from messages(schema) if isinstance(schema, dict) else ()


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
    by_rule = any(mistake.told_by_server in message for message in messages(crd_schema()))
    assert by_schema or by_rule or mistake.server.startswith(("unknown field", "Duplicate value"))


@pytest.mark.parametrize("mistake", SPEC, ids=by_name)
def test_what_only_validation_finds_passes_the_api_server(crd, mistake):
    """Else it belongs into schema.yaml."""
    assert crd.is_valid(mistake.manifest())


def wrong_values(field: Json) -> Iterator[Any]:
    """Values that a field's schema refuses."""
    if "enum" in field:
        yield "none-of-these"
    elif field.get("type") == "string":
        yield from (7, "x" * (field.get("maxLength", 4096) + 1))
    elif field.get("type") in ("integer", "number"):
        yield from ("7", *(field[bound] + more for bound, more in (("minimum", -1), ("maximum", 1)) if bound in field))
    elif field.get("type") == "boolean":
        yield "yes"
    elif field.get("type") in ("array", "object"):
        yield 7


def bends(value: Any, schema: Json, path: str) -> Iterator[tuple[str, Any]]:
    """Each field of the parts that a manifest has, with each of its wrong values."""
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            yield from ((f"{path}.{name}", wrong) for wrong in wrong_values(field))
            if name in value:
                yield from bends(value[name], field, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from bends(item, schema.get("items", {}), f"{path}[{index}]")


def test_whatever_the_schema_refuses_is_told_with_its_place():
    """Generated: some hundred fields of the manifest, each with several wrong values."""
    good = good_manifest()
    tried = list(bends(good["spec"], crd_schema()["properties"]["spec"], "spec"))
    assert len(tried) > 200
    missed = []
    for path, wrong in tried:
        problems = parse(Mistake(path, "", {path: wrong}).manifest()["spec"])[1]
        if not any(problem.path.startswith(path) for problem in problems):
            missed.append((path, wrong, problems))
    assert missed == []
