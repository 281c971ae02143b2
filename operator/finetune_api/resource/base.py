"""What every model of the resource shares: camelCase on the wire, nothing unknown accepted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import CoreSchema

MAX_NAMED = 32
"""The longest list of named things (data configs, systems, passes, evaluators)."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
"""A DNS label, as Kubernetes names are."""

ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253),
]
"""The name of a Kubernetes object, a DNS subdomain."""


class Bounded(StrEnum):
    """How a policy bounds a field's value."""

    NAMED = "named"
    """It must be one of the listed ones."""
    NAMED_OR_EMPTY = "named or empty"
    """The same; empty stands for a default that is the administrator's own."""
    COUNTED = "counted"
    """An accelerator: of those listed, and no more of it."""
    MEASURED = "measured"
    """Amounts by resource: of extended resources, those listed, and no more of them."""
    SWITCHED = "switched"
    """It must not be on."""


@dataclass(frozen=True)
class Governed:
    """Marks a type whose values an administrator's policy may bound (finetune_api.admission_policy)."""

    by: str
    """The chart's value: policy.<by>."""
    bounded: Bounded = Bounded.NAMED


SecretName = Annotated[ObjectName, Governed("secrets")]
ConfigMapName = ObjectName
"""Bounded by no policy: a ConfigMap holds nothing secret."""
ClaimName = Annotated[ObjectName, Governed("claims")]


class Model(BaseModel):
    """A part of the resource: immutable, camelCase on the wire, unknown fields refused by name."""

    model_config = ConfigDict(
        defer_build=True,  # a part by itself, which is rarely needed: half of what importing the models takes
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
    )

    rules: ClassVar[tuple[dict[str, str], ...]] = ()
    """CEL rules the API server checks (x-kubernetes-validations)."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        if rules := cls.cel_rules():
            schema["x-kubernetes-validations"] = list(rules)
        return schema

    @classmethod
    def cel_rules(cls) -> tuple[dict[str, str], ...]:
        return cls.rules

    def to_wire(self) -> dict[str, Any]:
        """The JSON the API server stores: camelCase, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OneOf(Model):
    """A choice of variants, of which exactly one member is set (as in a Pod's volumes)."""

    variants: ClassVar[tuple[str, ...]] = ()
    """The members' Python names."""

    @classmethod
    def variant_aliases(cls) -> list[str]:
        return [cls.model_fields[name].alias or name for name in cls.variants]

    @classmethod
    def cel_rules(cls) -> tuple[dict[str, str], ...]:
        names = cls.variant_aliases()
        rule = "[" + ", ".join(f"has(self.{name})" for name in names) + "].filter(set, set).size() == 1"
        return (*cls.rules, {"rule": rule, "message": f"set exactly one of {', '.join(names)}"})

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in self.variants if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(type(self).model_fields[name].alias or name for name in given) or "none"
            msg = f"set exactly one of {', '.join(self.variant_aliases())}; found {found}"
            raise ValueError(msg)
        return self

    @property
    def variant(self) -> str:
        """The Python name of the member that is set."""
        return next(name for name in self.variants if getattr(self, name) is not None)

    @property
    def variant_alias(self) -> str:
        """Its name in the manifest, such as mergeAdapterWeights."""
        return type(self).model_fields[self.variant].alias or self.variant


def without_nulls(value: Any) -> Any:
    """As the API server stores it: a field that is null is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def empty_list() -> list[Any]:
    """The default of a list. Not `list` itself: pydantic asks for its signature, which takes as long as a whole model."""
    return []


def named_list(description: str, *, min_length: int = 0, default: bool = True) -> Any:
    """A list whose items are told apart by their `name`, so that server-side apply merges by item."""
    extra: JsonDict = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    given: dict[str, Any] = {"default_factory": empty_list} if default else {}
    return Field(
        description=description,
        min_length=min_length or None,
        max_length=MAX_NAMED,
        json_schema_extra=extra,
        **given,
    )
