"""The CustomResourceDefinition is what the models say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_api.crd import RULES, render
from finetune_api.reserved_places import PLACES
from schemas import crd_schema

REPOSITORY = Path(__file__).parents[3]
KUBERNETES_LIMIT = 200 * 1024


def fields(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in node.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
        yield from fields(field.get("items", {}), f"{path}.{name}[]")


def test_the_generated_file_has_not_drifted():
    assert (REPOSITORY / "crds" / "finetunejobs.yaml").read_text() == render(), "run make generate"


def test_the_charts_copy_has_not_drifted():
    copy = REPOSITORY / "charts" / "finetune-operator" / "files" / "finetunejobs.yaml"
    assert copy.read_text() == render(), "run make generate"


def test_every_field_is_described():
    undescribed = [
        path
        for part in ("spec", "status")
        for path, field in fields(crd_schema()["properties"][part], part)
        if not field.get("description")
    ]
    assert undescribed == []


def test_every_string_and_list_is_bounded():
    unbounded = [path for path, field in fields(crd_schema()) if _is_unbounded(field)]
    assert [path for path in unbounded if path not in {".apiVersion", ".kind"}] == []


def _is_unbounded(field: dict[str, Any]) -> bool:
    kinds = {"string": ("maxLength", "enum", "format"), "array": ("maxItems",)}
    return field.get("type") in kinds and not any(key in field for key in kinds[field["type"]])


def test_every_bound_is_a_number_that_a_float_holds():
    """As which the API server reads it."""
    bounds = [f[b] for _, f in fields(crd_schema()) for b in ("minimum", "maximum") if b in f]
    assert [bound for bound in bounds if abs(bound) > 2**53] == []


def test_the_schema_is_structural():
    for forbidden in ("$ref", "anyOf", "$defs", "title:", "const:"):
        assert forbidden not in render()


def test_no_pattern_means_another_thing_to_the_api_server_than_to_pydantic():
    r"""To pydantic \w, \d and \s are Unicode, to Go they are ASCII."""
    keys = ("pattern", "x-kubernetes-validations")
    found = {path: "".join(str(field.get(key, "")) for key in keys) for path, field in fields(crd_schema())}
    assert any("matches" in text for text in found.values())
    assert {
        path for path, pattern in found.items() if any(short in pattern for short in (r"\w", r"\d", r"\s"))
    } == set()


def test_named_lists_merge_by_name():
    for name in ("dataConfigs", "systems", "passes", "evaluators"):
        field = crd_schema()["properties"]["spec"]["properties"][name]
        assert (field["x-kubernetes-list-type"], field["x-kubernetes-list-map-keys"]) == ("map", ["name"])


def test_every_spec_field_but_suspend_is_immutable():
    spec = crd_schema()["properties"]["spec"]
    guarded = {rule["message"].split()[0] for rule in spec["x-kubernetes-validations"]}
    assert guarded == set(spec["properties"]) - {"suspend"}


def test_each_place_that_no_volume_may_hide_is_in_the_rule_and_in_what_it_says():
    rules = [r for path, f in fields(crd_schema()) if path.endswith(".volumes") for r in f["items"][RULES]]
    (rule,) = [rule for rule in rules if rule.get("fieldPath") == ".mountPath"]
    for text in (rule["rule"], rule["message"], rule["messageExpression"]):
        assert [place for place in PLACES if place not in text] == []
    assert "mount it elsewhere, such as at /mnt/" in rule["messageExpression"]


def test_the_definition_stays_under_its_limit():
    assert len(render().encode()) < KUBERNETES_LIMIT
