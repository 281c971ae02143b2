"""The mistakes of tests/wrong, each made in the manifest that has none; its comment tells what a mistake says."""

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "wrong"
PART = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Mistake:
    """One of them, and what is told of it."""

    mistake: str
    says: str
    change: dict[str, Any] = field(default_factory=dict)
    server: str = ""
    reason: str = ""
    files: dict[str, str | None] = field(default_factory=dict)
    encoding: str = "utf-8"

    def manifest(self) -> dict[str, Any]:
        """The manifest with the mistake in it."""
        made = good_manifest()
        for path, value in self.change.items():
            _set(made, path, value)
        return made

    @property
    def where(self) -> str:
        """The place that is named; empty where none is."""
        return self.says.partition(": ")[0] if self.says.startswith("spec") else ""

    @property
    def told_by_server(self) -> str:
        return self.server or self.where


def good_manifest() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(_good())
    return made


def mistakes(*files: str) -> list[Mistake]:
    """Those of the files, which are named without their ending."""
    return [Mistake(**item) for file in files for item in _loaded(file)]


def by_name(mistake: Mistake) -> str:
    """For pytest's ids."""
    return mistake.mistake.replace(" ", "-")


@cache
def _good() -> str:
    return json.dumps(_loaded("good"))


@cache
def _loaded(file: str) -> Any:
    return yaml.load((FOLDER / f"{file}.yaml").read_text(), Loader=yaml.CSafeLoader)


def _set(manifest: dict[str, Any], path: str, value: Any) -> None:
    """Sets the field at a path such as spec.passes[0].name, making what it lies in; null takes it away."""
    *parents, last = [int(part) if part.isdecimal() else part for part in PART.findall(path)]
    place: Any = manifest
    for part in parents:
        place = place[part] if isinstance(place, list) else place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = deepcopy(value)
