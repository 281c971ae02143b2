"""Which rows of a source are used → filters and maxSamples. Pure."""

import json
import re

from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.parts import Part, report_part
from finetune_cli.olive.section import Section, Sourced

BEGINNING = re.compile(r"(\w+)\[:([1-9]\d{0,8})\]", re.ASCII)
"""A split's first rows, as the datasets library writes them."""


def chosen_rows(load: Section, process: Section, draft: Draft, context: Context) -> Draft:
    """Filters and maxSamples of a data config.

    Args:
        load: the parameters that say where rows come from.
        process: those that say how rows become text.
        draft: the data config's name and preprocess.
        context: of the import.
    """
    first = _beginning(load, draft["name"], context)
    strategy = draft["preprocess"]["strategy"]
    most = process.number("max_samples")
    name = strategy.value if isinstance(strategy, Sourced) else strategy
    if most and name != "line-by-line":
        remedy = "shorten the data, or use line-by-line"
        context.ledger.not_carried(most.steps, f"of strategy {name} it counts sequences; here it counts rows", remedy)
        most = None
    limits = [limit for limit in (first, most) if limit]
    least = min(limits, key=lambda limit: limit.value) if all(_is_count(limit) for limit in limits) and limits else most
    filters = _filters(load, context)
    if filters and first:
        context.ledger.note(first.steps, "the first rows are taken after col_filters, not before")
    return {"filters": filters or None, "maxSamples": least}


def _is_count(limit: Sourced) -> bool:
    return isinstance(limit.value, int) and not isinstance(limit.value, bool)


def _beginning(load: Section, name: str, context: Context) -> Sourced | None:
    """How many of a split's first rows are meant."""
    given = load.peek("split")
    if given is None or not isinstance(given.value, str):
        return None
    if found := BEGINNING.fullmatch(given.value):
        return Sourced(int(found[2]), given.steps)
    if part := Part.of(given):
        context.parts[name] = part
    elif set(given.value) & set("[+"):
        report_part(given, context.ledger)
    return None


def _filters(load: Section, context: Context) -> list[Draft]:
    section = load.part("col_filters")
    found = [(column, section.take(column)) for column in section]
    return [
        {"column": Sourced(column, item.steps), "values": Sourced([text], item.steps)}
        for column, item in found
        if item and (text := _text(item, context)) is not None
    ]


def _text(item: Sourced, context: Context) -> str | None:
    if isinstance(item.value, str):
        return item.value
    if isinstance(item.value, (bool, int, float)):
        return json.dumps(item.value)
    context.ledger.not_carried(item.steps, "a column is compared with text, a number or a boolean", "write one")
    return None
