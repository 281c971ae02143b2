"""Completion: all passes committed, the gates passed and the artifact published, whoever did it."""

from finetune_operator.decide.case import Case, Verdict
from finetune_operator.decide.ending import completed
from finetune_operator.decide.gate_outcome import gates_passed


def complete(case: Case) -> Verdict | None:
    """Complete as soon as there is nothing left to do and no Job still at it."""
    if not gates_passed(case):
        return None
    published = bool(case.status.artifacts) or not case.plan.candidates
    if case.all_done and published and not case.observed.live_children:
        return completed(case)
    return None
