"""Gates: whether figures keep their bounds, and the failure that says by how much they miss them. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from finetune_api.failures import FineTuneError, Reason
from finetune_api.gates import Measurement, first_passing, pairs, requirement
from finetune_api.resource.base import Model
from finetune_api.resource.gates import Gate
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.gating.advice import advice

NOTHING = Decimal("NaN")
HOPELESS = Decimal("-Infinity")

Figures = Mapping[str, Mapping[str, str]]
"""Name of a pass to its figures, by name."""


class Verdict(Model):
    """What a gate came to; where several passes measure its figure, by the one that fares worst."""

    metric: str
    after: str
    requirement: str
    measured_by: str
    figure: str
    """Of `after`, as its evaluate pass has it."""
    compared_with: str = ""
    """The figure of comparedTo."""
    value: str
    """What is compared with the bound: the figure, or of maxDrop how much worse it is than the other."""
    passed: bool | None
    """None where it is not judged: not all that it looks at has been measured."""
    missed: str = ""
    """By how much it was missed, in a sentence."""


def judge(spec: FineTuneJobSpec, figures: Figures) -> list[Verdict]:
    """What the gates of a valid spec come to, in their order.

    Args:
        spec: the spec.
        figures: of those of its passes that are committed.
    """
    return [_judged(spec, gate, figures) for gate in spec.gates]


def choose(spec: FineTuneJobSpec, candidates: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """The first candidate all of whose gates have passed.

    Raises:
        FineTuneError: GateFailed, with all gates that were missed, and what usually helps.
    """
    chosen = first_passing(spec, candidates, [verdict.passed for verdict in verdicts])
    if chosen is None:
        raise _failure(spec, verdicts)
    return chosen


def _failure(spec: FineTuneJobSpec, verdicts: Sequence[Verdict]) -> FineTuneError:
    judged = enumerate(zip(spec.gates, verdicts, strict=True))
    missed = [(index, gate, verdict.missed) for index, (gate, verdict) in judged if verdict.passed is False]
    known = sum(verdict.passed is not None for verdict in verdicts)
    count = f"{len(missed)} of {known} gates are missed: " if len(missed) > 1 else ""
    return FineTuneError(
        Reason.GATE_FAILED,
        count + "; ".join(sentence for *_, sentence in missed),
        remedy=" ".join(dict.fromkeys(advice(spec, gate) for _, gate, _ in missed)),
        path=f"spec.gates[{missed[0][0]}]",
    )


def _judged(spec: FineTuneJobSpec, gate: Gate, figures: Figures) -> Verdict:
    looked_at = pairs(spec, gate)
    if any(one.step not in figures for pair in looked_at for one in pair if one):
        return Verdict(
            metric=gate.metric,
            after=gate.after,
            requirement=requirement(gate),
            measured_by="",
            figure="",
            value="",
            passed=None,
        )
    told = [_measured(gate, measured, other, figures) for measured, other in looked_at]
    _, worst = min(told, key=lambda judged: judged[0])
    return worst


def _measured(
    gate: Gate, measured: Measurement, other: Measurement | None, figures: Figures
) -> tuple[Decimal, Verdict]:
    """One measurement's verdict, after the room that it leaves to the bound: negative where the gate is missed."""
    figure = figures[measured.step].get(gate.metric, "")
    reference = figures[other.step].get(gate.metric, "") if other else ""
    value = _value(gate, measured, figure, reference)
    room = _room(gate, value)
    verdict = Verdict(
        metric=gate.metric,
        after=gate.after,
        requirement=requirement(gate),
        measured_by=measured.step,
        figure=figure,
        compared_with=reference,
        value=f"{value:f}" if value.is_finite() else "",
        passed=room >= 0,
        missed="" if room >= 0 else _sentence(gate, figure, reference, value, -room),
    )
    return room, verdict


def _value(gate: Gate, measured: Measurement, figure: str, reference: str) -> Decimal:
    if gate.max_drop is None:
        return _number(figure)
    drop = _number(reference) - _number(figure)
    return drop if measured.metric.higher_is_better else -drop


def _number(figure: str) -> Decimal:
    """The figure; NaN for what is none, or infinite: neither keeps a bound."""
    try:
        number = Decimal(figure)
    except InvalidOperation:
        return NOTHING
    return number if number.is_finite() else NOTHING


def _room(gate: Gate, value: Decimal) -> Decimal:
    if not value.is_finite():
        return HOPELESS
    room = value - Decimal(gate.bound)
    return room if gate.min is not None else -room


def _sentence(gate: Gate, figure: str, reference: str, value: Decimal, miss: Decimal) -> str:
    what = f"{gate.metric} after {gate.after}"
    if not value.is_finite():
        found = f"{figure or 'missing'}, of {gate.compared_to} {reference or 'missing'}" if gate.compared_to else figure
        return f"{what} is no finite number ({found or 'missing'}), and must be {requirement(gate)}"
    if gate.min is not None:
        return f"{what} is {figure}, {miss:f} below the {gate.bound} that it must be at least"
    if gate.max is not None:
        return f"{what} is {figure}, {miss:f} above the {gate.bound} that it may be at most"
    return (
        f"{what} ({figure}) is {value:f} worse than {gate.compared_to} ({reference}),"
        f" {miss:f} more than the {gate.bound} that is allowed"
    )
