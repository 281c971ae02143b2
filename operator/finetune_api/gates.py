"""What a gate refers to, and how it reads. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from finetune_api.plan import Plan, adapters_of, input_name, measured_adapter, system_name
from finetune_api.resource.evaluators import LatencyMetric, Metric
from finetune_api.resource.gates import Gate
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.turns import decides_on


@dataclass(frozen=True)
class Measurement:
    """An evaluate pass that measures a metric of some pass's output."""

    step: str
    """Name of the evaluate pass."""
    evaluator: str
    """Name of its evaluator."""
    metric: Metric
    max_samples: int
    data: str
    """Name of the data config."""
    reference: str
    """Of a metric that compares with another model: the pass that makes it, or base."""
    system: str
    """Of a metric that tells of the machine: the system that it is measured on."""
    adapter: str = ""
    """Of a graph with several adapters: the pass whose adapter was over it."""

    def is_like(self, other: "Measurement") -> bool:
        """Whether both measure the same in the same rows, so that their figures can be compared."""
        mine = (self.metric, self.max_samples, self.data, self.reference, self.system)
        return mine == (other.metric, other.max_samples, other.data, other.reference, other.system)


def measurements(spec: FineTuneJobSpec, metric: str, source: str) -> list[Measurement]:
    """The evaluate passes that measure a metric of what `source` (a pass, or base) makes."""
    evaluators = {evaluator.name: evaluator for evaluator in spec.evaluators}
    found = []
    for index, step in enumerate(spec.passes):
        evaluator = evaluators.get(step.evaluate.evaluator) if step.evaluate else None
        if evaluator is None or step.evaluate is None or input_name(spec, index) != source:
            continue
        found += [
            Measurement(
                step=step.name,
                evaluator=evaluator.name,
                metric=measured,
                max_samples=evaluator.max_samples,
                data=step.evaluate.data,
                reference=step.evaluate.compared_to if measured.config.needs_reference else "",
                system=system_name(spec, step) if isinstance(measured.config, LatencyMetric) else "",
                adapter=measured_adapter(spec, index),
            )
            for measured in evaluator.metrics
            if measured.name == metric
        ]
    return found


def pairs(spec: FineTuneJobSpec, gate: Gate) -> list[tuple[Measurement, Measurement | None]]:
    """What a gate looks at: each measurement of its figure, with the one that it is compared with.

    None stands for one that is missing, and for every gate that compares with nothing. Of a graph with several adapters
    that is compared with the pass which tuned one of them, only measurements with that adapter count.
    """
    mine = measurements(spec, gate.metric, gate.after)
    if gate.compared_to is None:
        return [(measured, None) for measured in mine]
    others = measurements(spec, gate.metric, gate.compared_to)
    is_of_one = gate.compared_to in adapters_of(spec, gate.after)
    return [
        (measured, next((other for other in others if _comparable(measured, other)), None))
        for measured in mine
        if not is_of_one or measured.adapter == gate.compared_to
    ]


def _comparable(one: Measurement, other: Measurement) -> bool:
    """Whether their figures can be compared: of two graphs with several adapters, those of the same one."""
    return one.is_like(other) and (not (one.adapter and other.adapter) or one.adapter == other.adapter)


def requirement(gate: Gate) -> str:
    """What a gate asks for, in words."""
    if gate.min is not None:
        return f"at least {gate.bound}"
    if gate.max is not None:
        return f"at most {gate.bound}"
    return f"at most {gate.bound} worse than {gate.compared_to}"


@dataclass(frozen=True)
class Standing:
    """How far the candidates have come."""

    turn: int
    """Whose turn it is: passes of later turns are not to be made now."""
    decided: bool
    """Whether one has passed its gates, or none is left that may."""


def standing(spec: FineTuneJobSpec, plan: Plan, committed: Collection[str], passed: Sequence[bool | None]) -> Standing:
    """Whose turn it is, by what is committed and judged.

    Args:
        spec: the spec.
        plan: its plan.
        committed: names of passes.
        passed: of each of the spec's gates; None where it can't be judged yet.
    """
    doomed = any(
        held is False and all(decides_on(spec, gate, candidate.name) for candidate in plan.candidates)
        for gate, held in zip(spec.gates, passed, strict=True)
    )
    last = max(len(plan.candidates) - 1, 0)
    for turn in range(last + 1):
        if any(step.name not in committed for step in plan.passes if step.turn <= turn):
            return Standing(turn, decided=False)
        tried = [candidate.name for candidate in plan.candidates[: turn + 1]]
        if doomed or first_passing(spec, tried, passed):
            return Standing(turn, decided=True)
    return Standing(last, decided=True)


def skipped(
    spec: FineTuneJobSpec, plan: Plan, committed: Collection[str], passed: Sequence[bool | None]
) -> frozenset[str]:
    """Names of the passes that are never made, since an earlier candidate has passed; empty while that is open.

    Args:
        spec: the spec.
        plan: its plan.
        committed: names of passes.
        passed: as for `standing`; empty where the gates are not judged.
    """
    if len(passed) != len(spec.gates):
        return frozenset()
    reached = standing(spec, plan, committed, passed)
    later = (step.name for step in plan.passes if step.turn > reached.turn)
    return frozenset(name for name in later if name not in committed) if reached.decided else frozenset()


def first_passing(spec: FineTuneJobSpec, candidates: Sequence[str], passed: Sequence[bool | None]) -> str | None:
    """The first candidate all of whose gates have passed.

    Args:
        spec: the spec.
        candidates: names of passes, best first.
        passed: of each of the spec's gates; None where it is not judged, which is not passed.
    """
    judged = list(zip(spec.gates, passed, strict=True))
    return next((c for c in candidates if all(held for gate, held in judged if decides_on(spec, gate, c))), None)


def judged(passed: bool | None) -> str:
    """What a gate came to."""
    return {True: "passed", False: "missed", None: "not judged"}[passed]
