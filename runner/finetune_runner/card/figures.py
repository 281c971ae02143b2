"""What was measured on the way from the base to the artifact, for its card."""

from decimal import Decimal, InvalidOperation

from finetune_api.gates import Measurement, judged, measurements
from finetune_api.plan import BASE, PlannedPass, measured_adapter
from finetune_api.resource.evaluators import Evaluator, LatencyMetric, SizeBytesMetric
from finetune_api.turns import decides_on
from finetune_runner.card.text import table as markdown_table
from finetune_runner.publishing.made import Made

NOT_MEASURED = "No pass has measured this model."
NOT_COMPARED = (
    "Nothing was measured on both this model and the tuned one, so what merging and rounding took is not known."
)


def table(made: Made) -> str:
    """The figures of everything that was measured, a table for each evaluator and data config."""
    tables = dict[tuple[str, str], list[PlannedPass]]()
    for step in made.steps:
        if step.spec.evaluate:
            tables.setdefault((step.spec.evaluate.evaluator, step.spec.evaluate.data), []).append(step)
    parts = [_table(made, evaluator, data, steps) for (evaluator, data), steps in tables.items()]
    return "\n\n".join(parts) or NOT_MEASURED


def gates(made: Made) -> str:
    """The gates that were asked of this artifact, with what they came to."""
    asked = [
        verdict
        for gate, verdict in zip(made.spec.gates, made.report.gates, strict=True)
        if decides_on(made.spec, gate, made.step.name)
    ]
    if not asked:
        return ""
    rows = [[f"{v.metric} after `{v.after}`", v.requirement, v.value, judged(v.passed)] for v in asked]
    return "Gates it had to pass to be published:\n\n" + markdown_table(["gate", "required", "found", ""], rows)


def lost(made: Made) -> str:
    """How the artifact's figures differ from those of the tuned model."""
    tuners = [tuner.name for tuner in made.tuners if tuner.name != made.step.name]
    if not tuners:
        return ""
    lines = [line for tuner in tuners for step in made.steps for line in _lines(made, step, tuner)]
    return "\n".join(lines) or NOT_COMPARED


def _table(made: Made, evaluator: str, data: str, steps: list[PlannedPass]) -> str:
    most = _evaluator(made, evaluator).max_samples
    names = [metric.name for metric in _evaluator(made, evaluator).metrics]
    rows = [[_label(made, step), *(_figure(made, step, name) for name in names)] for step in steps]
    there = made.prepared.data_named(data).rows
    count = min(there, most or there)
    return f"On {count} rows of `{data}`, by `{evaluator}`:\n\n" + markdown_table(["model", *names], rows)


def _figure(made: Made, step: PlannedPass, name: str) -> str:
    """With the ends of the 95 % bootstrap interval, where there is one."""
    manifest = made.committed[step.name]
    low, high = manifest.intervals.get(name, ("", ""))
    return manifest.metrics.get(name, "") + (f" ({low} to {high})" if low else "")


def _label(made: Made, step: PlannedPass) -> str:
    """What a pass measures."""
    name, adapter = step.input, measured_adapter(made.spec, step.index)
    if name == BASE:
        return "base"
    kind = made.plan.pass_named(name).spec.variant_alias
    over = f" with `{adapter}`" if adapter else ""
    mark = ", **this model**" if name == made.step.name else ""
    return f"`{name}`{over} ({kind}){mark}"


def _lines(made: Made, step: PlannedPass, tuned: str) -> list[str]:
    """Of a pass that measures the artifact, with the adapter of `tuned`: each figure beside the tuned model's."""
    if step.spec.evaluate is None or step.input != made.step.name:
        return []
    metrics = _evaluator(made, step.spec.evaluate.evaluator).metrics
    qualities = [m.name for m in metrics if not isinstance(m.config, LatencyMetric | SizeBytesMetric)]
    lines = []
    for name in qualities:
        of_tuned = [other for other in measurements(made.spec, name, tuned) if other.step in made.committed]
        for mine in measurements(made.spec, name, made.step.name):
            theirs = next((other for other in of_tuned if mine.is_like(other)), None)
            if mine.step == step.name and mine.adapter in ("", tuned) and theirs:
                lines.append(_line(made, mine, theirs, tuned))
    return [line for line in lines if line]


def _line(made: Made, mine: Measurement, theirs: Measurement, tuned: str) -> str:
    name = mine.metric.name
    here, there = made.committed[mine.step].metrics.get(name, ""), made.committed[theirs.step].metrics.get(name, "")
    try:
        change = Decimal(here) - Decimal(there)
    except InvalidOperation:
        return ""
    worse = -change if mine.metric.higher_is_better else change
    if not worse.is_finite():
        return ""
    how = f"{worse:f} worse" if worse > 0 else f"{-worse:f} better" if worse < 0 else "the same"
    return f"- {name}: {there} after `{tuned}`, {here} in this model: {how}"


def _evaluator(made: Made, name: str) -> Evaluator:
    return next(evaluator for evaluator in made.spec.evaluators if evaluator.name == name)
