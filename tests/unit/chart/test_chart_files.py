"""The chart's files agree with the models and with each other; rendering is tried against a cluster."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from finetune_api.crd import render
from finetune_api.resource.job import Store
from finetune_operator.default_system import DefaultSystem
from finetune_operator.labels import of_job
from finetune_operator.pod_identity import own_identity
from finetune_operator.settings import Settings, SettingsError, prepare_resources

CHART = Path(__file__).parents[3] / "charts" / "finetune-operator"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
IMAGES = {"FINETUNE_OPERATOR_IMAGE": "operator:1", "FINETUNE_RUNNER_IMAGE": "runner:1"}
DEFAULT_ENV = jsonschema.Draft7Validator(SCHEMA["properties"]["defaultSystem"]["properties"]["env"])


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


def test_a_default_system_says_what_the_operator_takes() -> None:
    taken = {field.alias for field in DefaultSystem.model_fields.values()}
    assert set(SCHEMA["properties"]["defaultSystem"]["properties"]) == taken


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"},
        {"name": "EMPTY"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "password"}}},
        {"name": "PROXY", "valueFrom": {"configMapKeyRef": {"name": "proxy", "key": "url"}}},
    ],
)
def test_what_the_operator_takes_as_a_variable_of_every_job_the_schema_takes(variable: dict[str, Any]) -> None:
    DefaultSystem.model_validate({"env": [variable]})
    DEFAULT_ENV.validate([variable])


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ({"name": "PORT", "value": 3128}, "value"),
        ({"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, 0),
        ({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, "valueFrom"),
        ({"name": "A", "valueFrom": {}}, "valueFrom"),
        ({"name": "A", "valeu": "x"}, 0),
        ({"name": "1A", "value": "x"}, "name"),
    ],
)
def test_a_variable_of_every_job_that_no_pod_could_have_is_refused(variable: dict[str, Any], place: str | int) -> None:
    with pytest.raises(jsonschema.ValidationError) as refused:
        DEFAULT_ENV.validate([variable])
    assert refused.value.absolute_path[-1] == place


def test_pods_run_as_the_images_user_unless_the_chart_is_told_otherwise() -> None:
    assert own_identity().to_wire() == VALUES["podSecurity"]


def test_prepare_has_the_resources_that_the_operator_would_give_it_untold_all_of_them_limited() -> None:
    told = VALUES["prepare"]["resources"]
    assert prepare_resources().to_wire() == told
    assert set(told["limits"]) == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("amount", ["two", "-1", 2])
def test_an_amount_that_is_none_is_refused_as_the_operator_would(amount: object) -> None:
    resources = {"limits": {"cpu": amount}}
    schema = SCHEMA["properties"]["prepare"]["properties"]["resources"]
    assert not jsonschema.Draft7Validator(schema).is_valid(resources)
    with pytest.raises(SettingsError, match="FINETUNE_PREPARE_RESOURCES"):
        Settings.from_environment({**IMAGES, "FINETUNE_PREPARE_RESOURCES": json.dumps(resources)})


def helper(name: str) -> Any:
    """A named template of the chart that is YAML as it stands."""
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    return yaml.safe_load(helpers.partition(f'define "finetune-operator.{name}" -}}}}')[2].partition("{{- end -}}")[0])


def test_the_operator_is_given_nothing_on_secrets() -> None:
    resources = {resource for rule in helper("rules") for resource in rule["resources"]}
    own = {"finetunejobs", "finetunejobs/status", "finetunejobs/finalizers"}
    assert resources == own | {"jobs", "pods", "configmaps", "events"}


def test_network_policies_bind_the_pods_that_the_operator_makes() -> None:
    selected = helper("jobPods")["matchLabels"]
    assert selected
    for kind in ("prepare", "stage"):
        assert selected.items() <= of_job("tone", "uid", kind).items()


def test_a_policy_can_bound_all_that_its_expressions_look_at() -> None:
    looked_at = set(yaml.safe_load((CHART / "files" / "policy.yaml").read_text()))
    assert looked_at == set(VALUES["policy"]) - {"enabled", "actions", "namespaceSelector"}
    assert set(VALUES["policy"]) == set(SCHEMA["properties"]["policy"]["properties"])


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("images", "registry.example.com*"),
        ("images", "registry.example.com/team*"),
        ("s3Endpoints", "https://s3.example.com*"),
        ("hubEndpoints", "*"),
        ("buckets", "s3://team*"),
        ("repositories", "micro*"),
    ],
)
def test_a_beginning_that_somebody_else_could_own_is_refused(value: str, entry: str) -> None:
    """registry.example.com* would allow registry.example.com.evil.org."""
    pattern = SCHEMA["properties"]["policy"]["properties"][value]["items"]["pattern"]
    assert re.search(pattern, entry) is None
    assert re.search(pattern, entry.removesuffix("*") or "https://hub.example.com")
