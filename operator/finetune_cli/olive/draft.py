"""A manifest's spec under construction: plain objects whose leaves know the key that they came from. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_cli.olive.notes import Steps
from finetune_cli.olive.section import Sourced

Draft = dict[str, Any]
"""As on the wire, with Sourced among its values. None stands for unset."""
NAMED_ITEM = re.compile(r"\[([A-Za-z_]\w*)\]", re.ASCII)
"""A key of an object, as findings write it: extra[neftune_noise_alpha]."""
LISTED = re.compile(r"spec\.\w+\[\d+\]", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """Where a field of the spec came from."""

    field: Steps
    """The way to the field, from the spec."""
    source: Steps
    """The way to the key, from the config's root."""


@dataclass(frozen=True)
class Resolved:
    """A spec on the wire, and where its fields came from."""

    spec: dict[str, Any]
    origins: Mapping[str, Origin]
    """By spec path."""

    def origin_of(self, path: str) -> Origin | None:
        """The origin of a field, or of the field that it lies in."""
        path = NAMED_ITEM.sub(r".\1", path)
        around = [place for place in self.origins if path == place or path.startswith((f"{place}.", f"{place}["))]
        return self.origins[max(around, key=len)] if around else None

    def value_at(self, field: Steps) -> Any:
        """What stands at a field that there is."""
        value: Any = self.spec
        for step in field:
            value = value[step]
        return value

    def source_of(self, path: str) -> Steps:
        """The key that a field came from; of a part that none gave the item's, and else the config's root."""
        item = LISTED.match(path)
        origin = self.origin_of(path) or (self.origins.get(f"{item[0]}.name") if item else None)
        return origin.source if origin else ()


def resolve(draft: Draft) -> Resolved:
    """Separates values from where they came from."""
    origins: dict[str, Origin] = {}
    return Resolved(_plain(draft, "spec", (), origins), origins)


def _plain(value: Any, path: str, field: Steps, origins: dict[str, Origin]) -> Any:
    if isinstance(value, Sourced):
        origins[path] = Origin(field, value.steps)
        return _copied(value.value)
    if isinstance(value, dict):
        return {
            key: _plain(item, f"{path}.{key}", (*field, key), origins)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [_plain(item, f"{path}[{index}]", (*field, index), origins) for index, item in enumerate(value)]
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def without(spec: Any, field: Steps) -> Any:
    """The spec less one field; a list's item cannot be named."""
    first, *rest = field
    inner = spec[first]
    if not rest:
        return {key: item for key, item in spec.items() if key != first}
    changed = without(inner, tuple(rest))
    if isinstance(spec, list):
        return [changed if index == first else item for index, item in enumerate(spec)]
    return {**spec, first: changed}
