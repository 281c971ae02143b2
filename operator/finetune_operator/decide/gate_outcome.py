"""What a pod said of the gates, in status: one entry a gate, and the condition GatesPassed."""

from finetune_api.gates import requirement
from finetune_api.messages import GateOutcome, TerminationMessage
from finetune_api.resource.gates import Gate
from finetune_api.resource.status import ConditionType, FineTuneJobStatus, GateStatus
from finetune_operator.conditions import with_condition
from finetune_operator.decide.case import Case

KEPT = "nothing is published, and every output is kept in the store"


def with_gates(case: Case, message: TerminationMessage) -> FineTuneJobStatus:
    """The status with the gates as the message has them; unchanged where they were not judged."""
    gates = case.document.spec.gates
    if not gates or len(message.gates) != len(gates):
        return case.status
    told = [_told(gate, outcome) for gate, outcome in zip(gates, message.gates, strict=True)]
    passed = [gate for gate in told if gate.passed]
    lines = "; ".join(map(sentence, told))
    count = f"{len(passed)} of {len(told)} gates have passed"
    return with_condition(
        case.status.model_copy(update={"gates": told}),
        ConditionType.GATES_PASSED,
        holds=len(passed) == len(told),
        reason="Passed" if len(passed) == len(told) else "Missed",
        message=f"{count}: {lines}" if len(passed) == len(told) else f"{count}, {KEPT}: {lines}",
        now=case.observed.now,
        generation=case.observed.generation,
    )


def all_passed(case: Case) -> bool:
    """Whether every gate is known to have passed; true of a job without gates."""
    passed = [gate for gate in case.status.gates if gate.passed]
    return len(passed) == len(case.document.spec.gates)


def sentence(gate: GateStatus) -> str:
    value = gate.value or "not a finite number"
    return f"{gate.metric} after {gate.after} {value} ({gate.requirement})"


def _told(gate: Gate, outcome: GateOutcome) -> GateStatus:
    return GateStatus(
        metric=gate.metric,
        after=gate.after,
        requirement=requirement(gate),
        value=outcome.value,
        passed=outcome.passed,
    )
