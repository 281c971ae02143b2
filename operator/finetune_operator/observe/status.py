"""From a job's stored status to what this version of the operator can make of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from finetune_api.resource.status import FineTuneJobStatus
from finetune_api.schema_problem import schema_problem


@dataclass(frozen=True)
class ReadStatus:
    status: FineTuneJobStatus
    """Without the parts that can't be read."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Those parts as they are stored, by their names in status."""
    unreadable: str = ""
    """The first place in them that this version does not understand, and why; empty where there is none."""


def read_status(stored: Mapping[str, Any]) -> ReadStatus:
    """All of it, or what is left without the parts in which another version has written what is not known here."""
    try:
        return ReadStatus(FineTuneJobStatus.from_wire(dict(stored)))
    except ValidationError as error:
        problems = error.errors()
    names = {str(problem["loc"][0]) for problem in problems}
    known = {name: part for name, part in stored.items() if name not in names}
    kept = {name: part for name, part in stored.items() if name in names}
    first = schema_problem(problems[0])
    place = first.path.removeprefix("spec")
    return ReadStatus(FineTuneJobStatus.from_wire(known), kept, f"status{place}: {first.message}")
