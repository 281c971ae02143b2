"""What a pod said of the gates, in status: one entry a gate, and the condition GatesPassed."""

from collections.abc import Sequence

from finetune_api.gates import first_passing, requirement, skipped
from finetune_api.messages import GateOutcome, TerminationMessage
from finetune_api.resource.gates import Gate
from finetune_api.resource.status import ConditionType, FineTuneJobStatus, GateStatus, PassState
from finetune_operator.conditions import with_condition
from finetune_operator.decide.case import Case

KEPT = "nothing is published, and every output is kept in the store"


def with_gates(case: Case, message: TerminationMessage) -> FineTuneJobStatus:
    """The status with the gates as the message has them; unchanged where they were not judged."""
    gates = case.document.spec.gates
    if not gates or len(message.gates) != len(gates):
        return case.status
    told = [_told(gate, outcome) for gate, outcome in zip(gates, message.gates, strict=True)]
    chosen = _chosen(case, told)
    return with_condition(
        case.status.model_copy(update={"gates": told}),
        ConditionType.GATES_PASSED,
        holds=chosen is not None,
        reason="Missed" if chosen is None else "Passed",
        message=_message(case, told, chosen),
        now=case.observed.now,
        generation=case.observed.generation,
    )


def with_skipped(case: Case) -> FineTuneJobStatus:
    """The status with the passes marked that are not needed, since an earlier candidate has passed its gates."""
    committed = [step.name for step in case.status.passes if step.state is PassState.SUCCEEDED]
    told = [gate.passed for gate in case.status.gates]
    needless = skipped(case.document.spec, case.plan, committed, told)
    passes = [
        step.model_copy(update={"state": PassState.SKIPPED if step.name in needless else PassState.PENDING})
        if step.name in needless or step.state is PassState.SKIPPED
        else step
        for step in case.status.passes
    ]
    return case.status.model_copy(update={"passes": passes})


def gates_passed(case: Case) -> bool:
    """Whether a candidate is known to have passed its gates; true of a job without gates."""
    gates, told = case.document.spec.gates, case.status.gates
    return not gates or (len(told) == len(gates) and _chosen(case, told) is not None)


def sentence(gate: GateStatus) -> str:
    value = gate.value or "not a finite number"
    return f"{gate.metric} after {gate.after} {value} ({gate.requirement})"


def _chosen(case: Case, told: Sequence[GateStatus]) -> str | None:
    """The candidate that is to be published."""
    candidates = [step.name for step in case.plan.candidates]
    return first_passing(case.document.spec, candidates, [gate.passed for gate in told])


def _message(case: Case, told: Sequence[GateStatus], chosen: str | None) -> str:
    judged = [gate for gate in told if gate.passed is not None]
    count = f"{sum(gate.passed is True for gate in judged)} of {len(judged)} gates have passed"
    if chosen is None:
        count += f", {KEPT}"
    elif len(case.plan.candidates) > 1:
        count += f", all that decide on {chosen}"
    return f"{count}: {'; '.join(map(sentence, judged))}"


def _told(gate: Gate, outcome: GateOutcome) -> GateStatus:
    return GateStatus(
        metric=gate.metric,
        after=gate.after,
        requirement=requirement(gate),
        value=outcome.value,
        passed=outcome.passed,
    )
