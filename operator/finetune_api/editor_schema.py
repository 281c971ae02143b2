"""The JSON schema (draft 7) of a FineTuneJob's manifest, for editors: stricter than the CRD, which must be structural.

Run `python -m finetune_api.editor_schema FILE…` to write it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.resource.base import OneOf
from finetune_api.resource.job import FineTuneJobSpec

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What yaml-language-server understands."""


def editor_schema() -> dict[str, Any]:
    spec = FineTuneJobSpec.model_json_schema(mode="validation")
    definitions = {name: _plain(schema) for name, schema in spec.pop("$defs").items()}
    for model in _one_ofs(OneOf):
        if model.__name__ in definitions:
            definitions[model.__name__]["oneOf"] = [{"required": [name]} for name in model.variant_aliases()]
    return {
        "$schema": DIALECT,
        "title": KIND,
        "description": "Fine-tunes a small language model: tune, merge, export to int4 ONNX, evaluate, publish.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": {"type": "object", "description": "Kubernetes' own: name, namespace, labels, annotations."},
            "spec": _plain(spec),
            "status": {"type": "object", "description": "Written by the operator."},
        },
        "definitions": definitions,
    }


def render() -> str:
    """The schema as text."""
    return json.dumps(editor_schema(), indent=1, ensure_ascii=False) + "\n"


def _one_ofs(parent: type[OneOf]) -> list[type[OneOf]]:
    children = parent.__subclasses__()
    return [*children, *(found for child in children for found in _one_ofs(child))]


def _plain(schema: Any) -> Any:
    """Without titles, nulls and what only Kubernetes reads; references as draft 7 has them."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema.replace("#/$defs/", "#/definitions/") if isinstance(schema, str) else schema
    kept = {key: value for key, value in schema.items() if not _dropped(key, value)}
    fields = kept.pop("properties", None)
    plain = {key: _plain(value) for key, value in _without_null(kept).items()}
    if fields is not None:
        plain["properties"] = {name: _plain(field) for name, field in fields.items()}
    return plain


def _dropped(key: str, value: Any) -> bool:
    return key == "title" or key.startswith("x-kubernetes-") or (key == "default" and value is None)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**kinds[0], **beside} if len(kinds) == 1 else {**beside, "anyOf": kinds}


def main() -> None:
    for path in sys.argv[1:]:
        Path(path).write_text(render())


if __name__ == "__main__":
    main()
