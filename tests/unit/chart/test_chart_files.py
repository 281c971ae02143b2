"""The chart's files agree with the models and with each other; rendering is tried against a cluster."""

import json
from pathlib import Path
from typing import Any

import yaml

from finetune_api.crd import render
from finetune_api.resource.job import Store

CHART = Path(__file__).parents[3] / "charts" / "finetune-operator"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def objects(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object of the schema whose members are listed, with its path."""
    members = schema.get("properties", {})
    inner = [found for name, member in members.items() for found in objects(member, f"{path}.{name}")]
    return ([(path, schema)] if members else []) + inner


def test_the_definition_has_one_place_where_the_chart_adds_its_annotation() -> None:
    assert render().count("\nmetadata: {") == 1


def test_a_misspelt_value_is_refused_at_every_level() -> None:
    assert {path for path, schema in objects(SCHEMA) if schema["additionalProperties"] is not False} == set()


def test_every_value_is_described_in_the_schema() -> None:
    undescribed = {
        f"{path}.{name}"
        for path, schema in objects(SCHEMA)
        for name, member in schema["properties"].items()
        if not member.get("description")
    }
    assert undescribed == set()


def test_the_schema_and_the_defaults_name_the_same_values() -> None:
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    assert set(SCHEMA["properties"]["image"]["properties"]) == set(VALUES["image"])


def test_every_value_in_the_defaults_is_documented_by_the_line_above_it() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    tops = [number for number, line in enumerate(lines) if line[:1].isalpha() and line.rstrip()[-1] != ":"]
    assert [lines[number] for number in tops if not lines[number - 1].startswith("#")] == []


def test_a_default_store_says_what_a_jobs_store_says() -> None:
    described = SCHEMA["properties"]["defaultStore"]["properties"]
    definition = Store.model_json_schema()
    for variant, model in (("s3", "S3Location"), ("volume", "VolumeLocation")):
        assert set(described[variant]["properties"]) == set(definition["$defs"][model]["properties"])


def test_the_operator_is_given_nothing_on_secrets() -> None:
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    block = helpers.partition('define "finetune-operator.rules" -}}')[2].partition("{{- end -}}")[0]
    resources = {resource for rule in yaml.safe_load(block) for resource in rule["resources"]}
    assert resources == {"finetunejobs", "finetunejobs/status", "jobs", "pods", "configmaps", "events"}
