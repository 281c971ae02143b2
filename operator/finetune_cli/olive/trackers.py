"""report_to → training.reportTo, and where a tracker's address and credentials come from. Pure."""

from typing import Any

from finetune_api.plan import TUNING
from finetune_api.redaction import CREDENTIALS, without_logins
from finetune_api.trackers import TRACKERS
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import Steps
from finetune_cli.olive.section import Section, Sourced, plain

NAME = "report_to"
NONE: tuple[Any, ...] = (None, "none", [])


def report_to(section: Section, context: Context) -> Sourced | None:
    """The trackers that there are here; the others are reported."""
    given = section.take(NAME)
    if given is None or given.value in NONE:
        return None
    names = given.value if isinstance(given.value, list) else [given.value]
    known = [name for name in names if isinstance(name, str) and name in TRACKERS]
    for other in (name for name in names if name not in known):
        context.ledger.not_carried(given.steps, f"{other!r} is no tracker here", f"name {', '.join(TRACKERS)}")
    return Sourced(list(dict.fromkeys(known)), given.steps) if known else None


def settle_trackers(spec: Draft, context: Context) -> None:
    """Has addresses and credentials read from Secrets, which are named like their tracker.

    Args:
        spec: all of it; env of its systems is changed.
        context: of the import.
    """
    for system in spec["systems"]:
        for variable in system.get("env") or ():
            _hide(variable, context)
    for step in spec["passes"]:
        fields = next((step[kind] for kind in TUNING if kind in step), None)
        told = fields["training"].get("reportTo") if fields else None
        system = _system_of(step, spec)
        if told and system:
            for name in told.value:
                _add(system, name, told.steps, context)


def _hide(variable: Draft, context: Context) -> None:
    """A credential that stands in the config is not written into the manifest."""
    name, value = plain(variable["name"]), variable.get("value")
    if isinstance(value, Sourced) and (name in CREDENTIALS or _has_login(value.value)):
        del variable["value"]
        variable |= _from_secret(name, value.steps, context)


def _add(system: Draft, tracker: str, steps: Steps, context: Context) -> None:
    wanted = TRACKERS[tracker].variables
    there = system.get("env") or []
    if wanted and not {plain(variable["name"]) for variable in there}.intersection(wanted):
        system["env"] = [*there, {"name": wanted[0], **_from_secret(wanted[0], steps, context)}]


def _from_secret(variable: str, steps: Steps, context: Context) -> Draft:
    secret = variable.partition("_")[0].lower()
    remedy = f"kubectl create secret generic {secret} --from-literal={variable}=…"
    context.ledger.note(steps, f"{variable} is read from a key of that name in a Secret named {secret}", remedy)
    return {"valueFrom": {"secretKeyRef": {"name": secret, "key": variable}}}


def _system_of(step: Draft, spec: Draft) -> Draft | None:
    """The system that a pass runs on, as finetune_api.plan has it."""
    only = spec["systems"][0]["name"] if len(spec["systems"]) == 1 else None
    name = plain(step.get("system")) or plain((spec.get("engine") or {}).get("host")) or plain(only)
    return next((system for system in spec["systems"] if plain(system["name"]) == name), None)


def _has_login(value: Any) -> bool:
    return isinstance(value, str) and without_logins(value) != value
