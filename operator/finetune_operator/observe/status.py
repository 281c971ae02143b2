"""From a job's stored status to what this version of the operator can make of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from finetune_api.resource.status import FineTuneJobStatus
from finetune_api.schema_problem import schema_problem

CONDITIONS = "conditions"


@dataclass(frozen=True)
class ReadStatus:
    status: FineTuneJobStatus
    """Without the parts that can't be read."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Those parts as they are stored, by their names in status; of the conditions the single ones."""
    unreadable: str = ""
    """The first place in them that this version does not understand, and why; empty where there is none."""


def read_status(stored: Mapping[str, Any]) -> ReadStatus:
    """All of it, or what is left without the parts in which another version has written what is not known here."""
    try:
        status = FineTuneJobStatus.from_wire(dict(stored))
    except ValidationError as error:
        return _without(error.errors(), stored)
    ended = status.completion_time and not status.terminal
    unreadable = "status.conditions: none that is known here says how the job ended" if ended else ""
    return ReadStatus(status, unreadable=unreadable)


def _without(problems: Sequence[ErrorDetails], stored: Mapping[str, Any]) -> ReadStatus:
    names = {str(problem["loc"][0]) for problem in problems}
    kept = {name: part for name, part in stored.items() if name in names}
    known = {name: part for name, part in stored.items() if name not in names}
    if CONDITIONS in kept:
        places = {problem["loc"][1] for problem in problems if problem["loc"][0] == CONDITIONS}
        conditions = list(enumerate(stored[CONDITIONS]))
        kept[CONDITIONS] = [condition for place, condition in conditions if place in places]
        known[CONDITIONS] = [condition for place, condition in conditions if place not in places]
    first = schema_problem(problems[0])
    place = first.path.removeprefix("spec")
    return ReadStatus(FineTuneJobStatus.from_wire(known), kept, f"status{place}: {first.message}")
