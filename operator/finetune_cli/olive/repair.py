"""What the resource refuses of an import: fields that can be left out are, and reported; the rest is an error. Pure."""

from typing import Any

from finetune_api.validate import Problem, parse
from finetune_cli.olive.draft import Resolved, without
from finetune_cli.olive.notes import Kind, Steps
from finetune_cli.olive.section import Ledger
from finetune_cli.olive.sense import made_sense_of

ESSENTIAL = frozenset(
    {"source", "files", "repo", "uri", "precision", "textTemplate", "textColumns", "inputColumn", "outputColumn"}
    | {"trainData", "evaluator", "data", "name"}
)
"""Fields without which a job would be another one."""
DEFAULT = "the field's default is taken"
SEARCHED = (
    "values are not searched for",
    "write one value, in a job for each; what the jobs have in common is made once",
)


def repaired(found: Resolved, ledger: Ledger) -> Resolved | None:
    """A spec that the resource takes; None where there is none, and why is noted as an error."""
    sensed = False
    while True:
        spec, problems = parse(found.spec)
        if spec and not sensed:
            sensed = True
            found = made_sense_of(found, spec, ledger)
            continue
        if not problems:
            return found
        less = next((left for problem in problems if (left := _less(found, problem, ledger))), None)
        if less is None:
            _tell(problems, found, ledger)
            return None
        found = less


def _tell(problems: list[Problem], found: Resolved, ledger: Ledger) -> None:
    """Each once, at its key; what has none follows from an error that was told already, where there is one."""
    known = any(note.kind is Kind.ERROR for note in ledger.notes)
    once: dict[tuple[Steps, str], Problem] = {}
    for problem in problems:
        once.setdefault((found.source_of(problem.path), problem.message), problem)
    for (source, message), problem in once.items():
        if source or not known:
            ledger.error(source, f"{problem.path}: {message}", problem.remedy)


def _less(found: Resolved, problem: Problem, ledger: Ledger) -> Resolved | None:
    """The spec less the field that a problem is about; None where that can't be left out."""
    origin = found.origin_of(problem.path)
    if origin is None or not _can_go(origin.field):
        return None
    message, remedy = problem.message, problem.remedy or DEFAULT
    if problem.path in found.origins and _is_searched(found.value_at(origin.field), message):
        message, remedy = SEARCHED
    ledger.not_carried(origin.source, f"{problem.path}: {message}", remedy)
    origins = {path: kept for path, kept in found.origins.items() if kept is not origin}
    return Resolved(without(found.spec, origin.field), origins)


def _is_searched(value: Any, message: str) -> bool:
    """Whether a value that is refused is one by which Olive's versions asked for several to be tried."""
    if isinstance(value, dict):
        return not {"search_values", "support"}.isdisjoint(value)
    return value == "SEARCHABLE_VALUES" or (isinstance(value, list) and message.endswith("is asked for"))


def _can_go(field: Steps) -> bool:
    return isinstance(field[-1], str) and field[-1] not in ESSENTIAL
