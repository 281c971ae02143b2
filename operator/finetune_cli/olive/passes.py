"""passes → spec.passes, in the order in which Olive runs them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from finetune_api.export_options import RUN_HERE
from finetune_cli.olive.builder import adds_metadata, builder
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.evaluators import Evaluator, Evaluators
from finetune_cli.olive.extraction import extraction
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced, items
from finetune_cli.olive.systems import Systems
from finetune_cli.olive.tuning import KINDS, tuning

BUILDERS = frozenset({"modelbuilder", "genaimodelexporter"})
MERGE = "mergeadapterweights"
EXTRACT = "extractadapters"
DEFAULT_VALUE = "DEFAULT_VALUE"
"""What Olive takes for unset."""
NAME_PASSES = "name LoRA, MergeAdapterWeights, ModelBuilder …"
ONLY_MERGE_AND_EXPORT = "merge the adapter and export with ModelBuilder, which rounds weights too"

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "output_name": ("outputs are found by the pass's name", LEAVE_OUT),
    "clean_run_cache": ("what decides an output decides its cache key", LEAVE_OUT),
}


@dataclass(frozen=True)
class Shared:
    """What all passes of a config refer to."""

    context: Context
    systems: Systems
    evaluators: Evaluators
    data: list[Draft]
    evaluator: Evaluator | None
    """The engine's, which measures what no evaluator of its own measures."""
    measures_base: bool
    """Whether the engine's evaluator measures the input model too."""
    provider: str
    """The artifact's execution provider."""


def passes(root: Section, shared: Shared) -> list[Draft]:
    """All of them, each followed by the passes that measure it."""
    found: list[Draft] = []
    if shared.evaluator and shared.measures_base:
        name = shared.context.pass_names.unused("base-check")
        found.append(_measured(name, "base", shared.evaluator))
    listed = list(_listed(root, shared.context))
    for raw, section in listed:
        found += _pass(raw, section.flat("config"), found, shared)
    if not found:
        message = "none of the passes is carried over" if listed else "no pass is named"
        shared.context.ledger.error((*root.steps, "passes"), message, NAME_PASSES)
    return found


def _listed(root: Section, context: Context) -> Iterator[tuple[Sourced, Section]]:
    """The passes with their names: an object by name, each one or a list of them; or a list."""
    ledger, given = context.ledger, root.peek("passes")
    if given is None:
        return
    if isinstance(given.value, list):
        for item in items(ledger, given):
            section = Section.of(ledger, item)
            raw = section.text("name") or section.peek("type")
            yield raw if raw and isinstance(raw.value, str) else Sourced("pass", item.steps), section
        return
    named = root.part("passes")
    for raw_name in _ordered(root, named, context):
        inner = named.peek(raw_name)
        if inner is None:
            continue
        if not isinstance(inner.value, list):
            yield Sourced(raw_name, inner.steps), Section.of(ledger, inner)
            continue
        for item in items(ledger, inner):
            if len(inner.value) > 1:
                ledger.note(item.steps, "of several passes under one name all run, one after another")
            yield Sourced(raw_name, item.steps), Section.of(ledger, item)


def _ordered(root: Section, named: Section, context: Context) -> list[str]:
    """By the flow that older versions could name; passes that are in no flow do not run."""
    flows = items(context.ledger, root.peek("pass_flows"))
    for flow in flows[1:]:
        context.ledger.not_carried(flow.steps, "a job runs one flow of passes", "write a job for each flow")
    first = flows[0] if flows else None
    if first is None or not isinstance(first.value, list) or not all(isinstance(name, str) for name in first.value):
        return list(named)
    context.ledger.read(first.steps)
    for name in named:
        other = named.peek(name)
        if name not in first.value and other:
            context.ledger.not_carried(other.steps, "is in no flow", "name it in pass_flows to run it")
    return [name for name in dict.fromkeys(first.value) if name in named]


def _pass(raw: Sourced, section: Section, before: list[Draft], shared: Shared) -> list[Draft]:
    ledger = shared.context.ledger
    kind = section.text("type")
    name = kind.value.lower().rpartition(".")[2] if kind else ""
    if name not in (*KINDS, *BUILDERS, MERGE, EXTRACT):
        said = f"no pass corresponds to {kind.value}" if kind else "names no type"
        ledger.not_carried(section.steps, said, ONLY_MERGE_AND_EXPORT)
        return []
    section = _without_defaults(section)
    places = {name: section.peek(name) for name in ("host", "evaluator")}
    host = shared.systems.reference(section, "host")
    own = shared.evaluators.reference(section, "evaluator")
    section.flag("disable_search")
    section.refuse(NOT_CARRIED)
    fields = _config(name, section, before, shared)
    if fields is None:
        for given in filter(None, places.values()):
            ledger.not_carried(given.steps, "there is no pass of its own for it", "set it on the pass before")
        return []
    called = shared.context.pass_names.give(raw)
    draft: Draft = {"name": Sourced(called, raw.steps), "system": host.name if host else None, **fields}
    evaluator = own or shared.evaluator
    if evaluator is None or not _can_be_measured(draft, raw, shared):
        return [draft]
    check = shared.context.pass_names.unused(f"{called}-check"[:63])
    return [draft, _measured(check, called, evaluator) | {"system": draft["system"]}]


def _without_defaults(section: Section) -> Section:
    """Less what is given as unset."""
    unset = [name for name in section if (found := section.peek(name)) and found.value == DEFAULT_VALUE]
    for name in unset:
        section.take(name)
    return section.less(*unset)


def _config(name: str, section: Section, before: list[Draft], shared: Shared) -> Draft | None:
    """None where a pass before it does its work."""
    if name == MERGE:
        return {"mergeAdapterWeights": {}}
    if name == EXTRACT:
        extracted = extraction(section, before, shared.provider, shared.context)
        return None if extracted is None else {"extractAdapters": extracted}
    if name in BUILDERS and adds_metadata(section, before, shared.context):
        return None
    if name in BUILDERS:
        return {"modelBuilder": builder(section, shared.provider, shared.context)}
    kind, fields = tuning(name, section, shared.data, shared.context)
    return {kind: fields}


def _measured(name: str, source: str, evaluator: Evaluator) -> Draft:
    used = {"evaluator": evaluator.draft["name"], "data": evaluator.data}
    return {"name": name, "input": source, "evaluate": used}


def _can_be_measured(draft: Draft, raw: Sourced, shared: Shared) -> bool:
    if "modelBuilder" not in draft or shared.provider in RUN_HERE:
        return True
    message = f"an artifact for {shared.provider} can't be measured by the runner"
    shared.context.ledger.note(raw.steps, message, "measure it where that hardware is")
    return False
