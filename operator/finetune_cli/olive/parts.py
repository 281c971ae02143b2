"""Rows of one split parted by percent, some to train on and some to evaluate on → evalFraction. Pure."""

import re
from dataclasses import dataclass
from typing import Any, Self

from finetune_api.plan import TUNING
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.section import Ledger, Sourced, plain

PERCENT = re.compile(r"(\w+)\[(?:(\d{1,2})%)?:(?:(\d{1,2})%)?\]", re.ASCII)
WHOLE = 100
ROLES = ("trainData", "evalData")


@dataclass(frozen=True)
class Part:
    """A share of a split, as the datasets library writes it: train[:70%]."""

    split: str
    begin: int
    end: int
    """Percent of the rows."""
    given: Sourced

    @classmethod
    def of(cls, given: Sourced) -> Self | None:
        found = PERCENT.fullmatch(str(given.value))
        return cls(found[1], int(found[2] or 0), int(found[3] or WHOLE), given) if found else None

    def is_rest_of(self, other: "Part") -> bool:
        """Whether the two are a whole, of which the other is the beginning."""
        return (self.split, other.begin, self.begin, self.end) == (other.split, 0, other.end, WHOLE)


def settle_parts(spec: Draft, context: Context) -> None:
    """Where a pass trains on the beginning of a split and evaluates on the rest of it, a share is held out instead.

    Args:
        spec: all of it; such passes are changed.
        context: of the import, which knows the parts. One that is not settled is reported.
    """
    tuned = [step[kind] for step in spec["passes"] for kind in TUNING if kind in step]
    used = [{_name(fields[role]) for role in ROLES} for fields in tuned]
    settled = [set(_held_out(fields, spec["dataConfigs"] or [], context)) for fields in tuned]
    still = set().union(*(names - done for names, done in zip(used, settled, strict=True)))
    still |= {_name(step["evaluate"]["data"]) for step in spec["passes"] if "evaluate" in step}
    done = set().union(*settled) - still
    for name, part in context.parts.items():
        if name not in done:
            report_part(part.given, context.ledger)


def _held_out(fields: Draft, data: list[Draft], context: Context) -> tuple[str, ...]:
    """Names of the data configs whose parts a share of the rows now stands for."""
    names = (_name(fields["trainData"]), _name(fields["evalData"]))
    train, rest = (context.parts.get(name) for name in names)
    if not (train and rest and rest.is_rest_of(train) and _same_rows(names, data)):
        return ()
    share = (WHOLE - rest.begin) / WHOLE
    fields["evalData"], fields["evalFraction"] = None, Sourced(share, rest.given.steps)
    for part in (train, rest):
        context.ledger.note(part.given.steps, f"evalFraction: {share} of the split's rows is held out, by chance")
    return names


def report_part(given: Sourced, ledger: Ledger) -> None:
    message = f"{given.value!r}: a later part or a sum of splits can't be named, so all rows are read"
    remedy = "name one split; train[:1000] takes its first rows, eval_dataset_size holds a share out"
    ledger.not_carried(given.steps, message, remedy)


def _same_rows(names: tuple[str, str], data: list[Draft]) -> bool:
    """Whether both data configs are the same but for their names."""
    first, second = ([_bare(config) for config in data if config["name"] == name] for name in names)
    return bool(first) and first == second


def _name(value: Any) -> str:
    return str(plain(value))


def _bare(value: Any) -> Any:
    """Less the name, and where values came from."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key != "name"}
    return [_bare(item) for item in value] if isinstance(value, list) else value
