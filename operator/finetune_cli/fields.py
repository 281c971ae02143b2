"""The resource's fields as lines for people, taken from the models. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from finetune_api.resource.base import Model
from finetune_api.resource.passes import Pass


@dataclass(frozen=True)
class Field:
    """One field of a pass."""

    path: str
    """Within the pass, such as training.learningRate."""
    kind: str
    """Its type, or the values it can have."""
    default: str
    """As YAML would have it; empty where it is required."""
    description: str


def pass_names() -> list[str]:
    """The passes, as a manifest writes them."""
    return Pass.variant_aliases()


def as_written(kind: str) -> str:
    """What the store calls a pass, as a manifest writes it: merge_adapter_weights → mergeAdapterWeights."""
    return dict(zip(Pass.variants, Pass.variant_aliases(), strict=True)).get(kind, kind)


def pass_model(name: str) -> type[Model]:
    """The model of a pass's config.

    Raises:
        KeyError: there is no such pass.
    """
    variant = dict(zip(Pass.variant_aliases(), Pass.variants, strict=True))[name]
    annotation: Any = Pass.model_fields[variant].annotation
    model: type[Model] = next(kind for kind in annotation.__args__ if kind is not type(None))
    return model


def summary(kind: type) -> str:
    """What a pass does, in a line: the first of its docstring."""
    return next(iter((kind.__doc__ or "").strip().splitlines()), "")


def fields_of(model: type[Model], *, below: str = "") -> list[Field]:
    """All fields, those of parts included.

    Args:
        model: a pass's config, or a part of it.
        below: the part's path within the pass.
    """
    schema = _schema(model)
    return list(_fields(schema, schema.get("$defs", {}), f"{below}." if below else ""))


@cache
def _schema(model: type[Model]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


def _fields(schema: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[Field]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        part = _referenced(field, definitions)
        if part is not None and "properties" in part:
            yield from _fields(part, definitions, f"{prefix}{name}.")
        else:
            yield Field(
                path=prefix + name,
                kind=_kind(part or field),
                default="" if name in required else _shown(field.get("default", _empty(field))),
                description=field.get("description", ""),
            )


def _referenced(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any] | None:
    """The part a field holds, be it optional or not."""
    kinds = field.get("anyOf", [field])
    reference = next((kind["$ref"] for kind in kinds if "$ref" in kind), "")
    found: dict[str, Any] | None = definitions.get(reference.rpartition("/")[2])
    return found


def _kind(field: dict[str, Any]) -> str:
    field = next((kind for kind in field.get("anyOf", []) if kind.get("type") != "null"), field)
    if "enum" in field:
        return " | ".join(_shown(value) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("type") == "object":
        return (
            f"map to {_kind(field['additionalProperties'])}"
            if isinstance(field.get("additionalProperties"), dict)
            else "map"
        )
    return str(field.get("const", field.get("type", "any")))


def _empty(field: dict[str, Any]) -> Any:
    return {"array": [], "object": {}}.get(field.get("type", ""))


def _shown(value: Any) -> str:
    match value:
        case True | False:
            return str(value).lower()
        case None:
            return "unset"
        case "":
            return '""'
        case _:
            return str(value)
