"""The API reference, docs/api-reference.md, generated from the models: a section an object, a row a field.

Run `python -m finetune_api.api_reference FILE…` to write it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.crd import without_defaults
from finetune_api.pattern_words import described
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.status import FineTuneJobStatus

Schema = dict[str, Any]
INTRODUCTION = f"""\
<!-- Generated from operator/finetune_api/resource by `make generate`. Do not edit. -->
# API reference

`{API_VERSION}`, kind `{KIND}`, short `ftj`. The same is at hand with `kubectl explain finetunejob.spec --recursive`.

Every field of the spec but `suspend` is immutable. A field without a default is unset where it is left out; the
**bold** ones are required. The operator writes the status, and what it leaves out is not there.
"""
UNITS = {"string": ("minLength", "maxLength", "characters"), "array": ("minItems", "maxItems", "items")}
MAP = ("minProperties", "maxProperties", "entries")


def render() -> str:
    """The page."""
    status = without_defaults(FineTuneJobStatus.model_json_schema(mode="validation"))
    return INTRODUCTION + _part(FineTuneJobSpec.model_json_schema(mode="validation"), "Spec") + _part(status, "Status")


def _part(schema: Schema, title: str) -> str:
    definitions = schema.pop("$defs")
    sections = [f"\n### {name}\n\n{_body(definitions[name], definitions)}" for name in _reached(schema, definitions)]
    return f"\n## {title}\n\n{_body(schema, definitions)}" + "".join(sections)


def _reached(schema: Schema, definitions: dict[str, Schema]) -> list[str]:
    """Names of the definitions that a schema leads to, in the order in which a reader meets them."""
    found: list[str] = []
    for name in _references(schema):
        if name not in found:
            found.append(name)
            found.extend(inner for inner in _reached(definitions[name], definitions) if inner not in found)
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield _named(value)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _named(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _body(schema: Schema, definitions: dict[str, Schema]) -> str:
    said = [_escaped(schema.get("description", "")), *_rules(schema)]
    required = schema.get("required", [])
    fields = {name: _described(field, definitions) for name, field in schema.get("properties", {}).items()}
    rows = [_row(name, field, required=name in required) for name, field in fields.items()]
    table = ["| field | type | default | |\n| --- | --- | --- | --- |\n", *rows] if rows else []
    return "".join(f"{text}\n\n" for text in said if text) + "".join(table)


def _described(field: Schema, definitions: dict[str, Schema]) -> Schema:
    """With the description of the object it refers to, where it has none of its own."""
    field = _without_null(field)
    target = definitions[_named(field)] if "$ref" in field else {}
    return {"description": target.get("description", ""), **field}


def _rules(schema: Schema) -> Iterator[str]:
    """What the API server checks besides; that fields are immutable stands in the introduction."""
    messages = [rule["message"] for rule in schema.get("x-kubernetes-validations", [])]
    kept = [message for message in messages if "is immutable" not in message]
    if kept:
        yield "Checked at apply: " + "; ".join(_escaped(message) for message in kept) + "."


def _row(name: str, field: Schema, *, required: bool) -> str:
    shown = f"**`{name}`**" if required else f"`{name}`"
    cells = (shown, _type(field), _default(field), _escaped(field.get("description", "")))
    return "| " + " | ".join(cells) + " |\n"


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or default in ({}, []):
        return ""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{_escaped(repr(text)[1:-1])}`" if text else '`""`'


def _type(field: Schema) -> str:
    """The type of a field's value and its bounds, as one phrase."""
    if "$ref" in field:
        return f"[{_named(field)}](#{_named(field).lower()})"
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" if value else '`""`' for value in field.get("enum", [field.get("const")]))
    kind = field.get("type", "any")
    if kind == "array":
        return _bounded(f"list of {_type(field['items'])}", field, UNITS["array"])
    if kind == "object":
        values = field.get("additionalProperties")
        inner = _type(values) if isinstance(values, dict) and values.get("type") else "any"
        return _bounded(f"map of text to {inner}", field, MAP)
    if kind == "string":
        return _bounded(_text(field), field, UNITS["string"])
    return _range(kind, field)


def _text(field: Schema) -> str:
    """In words where there are some; an expression as it stands would say little in a table."""
    if "pattern" not in field:
        return "text"
    words = described(field["pattern"])
    return "text" if field["pattern"] in words else f"text ({_escaped(words)})"


def _bounded(kind: str, field: Schema, names: tuple[str, str, str]) -> str:
    least, most, unit = field.get(names[0]), field.get(names[1]), names[2]
    if least and most:
        return f"{kind}, {least} to {most} {unit}"
    return f"{kind}, at most {most} {unit}" if most else kind


def _range(kind: str, field: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {field[bound]}" for bound, sign in signs.items() if bound in field]
    return ", ".join([kind, *told])


def _without_null(field: Schema) -> Schema:
    if "anyOf" not in field:
        return field
    kinds = [kind for kind in field["anyOf"] if kind.get("type") != "null"]
    return {**kinds[0], **{key: value for key, value in field.items() if key != "anyOf"}}


def _escaped(text: str) -> str:
    """As it may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    for path in sys.argv[1:]:
        Path(path).write_text(render())


if __name__ == "__main__":
    main()
