"""The CustomResourceDefinition, generated from the models.

Kubernetes wants a structural OpenAPI v3 schema (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
custom-resource-definitions/#specifying-a-structural-schema): no $ref, no titles, no null variants, bounds as OpenAPI
3.0 writes them. Run `python -m finetune_api.crd FILE…` to write it.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from finetune_api import GROUP, KIND, PLURAL, VERSION
from finetune_api.pattern_words import told_by_server
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.status import FineTuneJobStatus

FINISHED_RULE = {
    "rule": "self.spec.suspend == false || oldSelf.spec.suspend == true || !has(oldSelf.status) ||"
    " !has(oldSelf.status.conditions) || !oldSelf.status.conditions.exists(c, c.status == 'True' &&"
    " (c.type == 'Complete' || c.type == 'Failed'))",
    "message": "a finished job can't be suspended: create a new FineTuneJob instead (committed passes are reused)",
}
"""Taking suspend back stays allowed: a GitOps tool applies its manifest again, whatever became of the job."""
DROPPED = {"title", "additionalProperties", "const", "discriminator", "$defs", "examples"}
RULES = "x-kubernetes-validations"
HEADER = "# Generated from operator/finetune_api/resource by `make generate`. Do not edit.\n"
COLUMNS = (
    ("Phase", "string", ".status.phase", 0),
    ("Pass", "string", ".status.currentPass", 0),
    ("Progress", "integer", ".status.progress.percent", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Artifact", "string", ".status.artifacts[0].uri", 1),
    ("Reason", "string", ".status.failure.reason", 1),
)


def custom_resource_definition() -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["ftj"],
                "categories": ["finetune"],
            },
            "versions": [_version()],
        },
    }


class _Plain(yaml.CSafeDumper):
    """Writes repeated parts out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
        "selectableFields": [{"jsonPath": ".status.phase"}],
        "schema": {"openAPIV3Schema": _root_schema()},
    }


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": priority} if priority else {})


def _root_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Fine-tunes a small language model: tune, merge, export to int4 ONNX, evaluate, publish.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(FineTuneJobSpec.model_json_schema(mode="validation")),
            "status": without_defaults(structural(FineTuneJobStatus.model_json_schema(mode="validation"))),
        },
        "x-kubernetes-validations": [FINISHED_RULE],
    }


def structural(schema: dict[str, Any]) -> dict[str, Any]:
    """A pydantic JSON schema as a structural schema."""
    return _convert(schema, schema.get("$defs", {}))


def without_defaults(schema: Any) -> Any:
    """The operator writes what there is to say; defaults would only fill a status with empty fields."""
    if isinstance(schema, list):
        return [without_defaults(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    fields = schema.get("properties")
    kept = {key: without_defaults(value) for key, value in schema.items() if key not in ("default", "properties")}
    if fields is None:
        return kept
    return kept | {"properties": {name: without_defaults(field) for name, field in fields.items()}}


def _convert(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _without_null(_inlined(schema, definitions), definitions)
    converted = {key: value for key, value in schema.items() if key not in DROPPED}
    if "properties" in schema:
        converted["properties"] = _properties(schema, definitions)
    if "items" in schema:
        converted["items"] = _convert(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        converted["additionalProperties"] = _convert(schema["additionalProperties"], definitions)
    if "const" in schema:
        converted["enum"] = [schema["const"]]
    if "default" in converted and converted["default"] is None:
        del converted["default"]
    return _typed(_openapi_bounds(_told(converted)))


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    """A pattern as a rule that says in words what it asks for: the API server would show the expression alone."""
    pattern = schema.get("pattern")
    if pattern is None or not (words := told_by_server(pattern)):
        return schema
    rule = {"rule": f"self.matches(r'{pattern}')", "message": f"must be {words}"}
    kept = {key: value for key, value in schema.items() if key != "pattern"}
    return kept | {RULES: [rule, *schema.get(RULES, [])]}


def _properties(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required", [])
    return {
        name: _convert(field, definitions) | ({} if name in required else _empty_default(field, definitions))
        for name, field in schema["properties"].items()
    }


def _empty_default(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """An empty object for a part that always exists, so that the API server fills in the defaults inside it."""
    is_model = "$ref" in field and "properties" in _inlined(field, definitions)
    return {"default": {}} if is_model else {}


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A reference replaced by what it refers to; what stands beside it (description, default) wins."""
    if "$ref" not in schema:
        return schema
    target = definitions[schema["$ref"].rpartition("/")[2]]
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**target, **beside}


def _without_null(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """X | None as X: in Kubernetes an unset field is absent, not null."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**_inlined(kinds[0], definitions), **beside}


def _openapi_bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Exclusive bounds as OpenAPI 3.0 has them: a flag beside the bound. Sizes of maps by their own name."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema and not isinstance(schema[exclusive], bool):
            schema = {**schema, bound: schema[exclusive], exclusive: True}
    return schema


def _typed(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema and "type" not in schema:
        kind = "integer" if all(isinstance(value, int) for value in schema["enum"]) else "string"
        return {"type": kind, **schema}
    if schema.get("type") == "integer" and "format" not in schema:
        return {**schema, "format": "int64"}
    return schema


@cache
def render() -> str:
    """The CRD as YAML; what holds no further fields takes one line: indentation was half of it."""
    dumped = yaml.dump(
        custom_resource_definition(),
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=160,
    )
    return HEADER + dumped


def main() -> None:
    for path in sys.argv[1:]:
        Path(path).write_text(render())


if __name__ == "__main__":
    main()
