"""That a gate looks at something that will have been measured when it is time to publish. Pure."""

from collections.abc import Iterator

from finetune_api.export_options import RUN_HERE, runs_on
from finetune_api.gates import measurements, pairs
from finetune_api.plan import BASE, Product, execution_provider, input_name, product_of
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.exports import Export
from finetune_api.resource.gates import Gate
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass


def gate_problems(spec: FineTuneJobSpec, index: int) -> Iterator[Problem]:
    """What is wrong with a gate."""
    gate, path = spec.gates[index], f"spec.gates[{index}]"
    found = list(_reference_problems(spec, gate, path))
    yield from found
    if found:
        return
    if not measurements(spec, gate.metric, gate.after):
        remedy = f"add an evaluate pass with input: {gate.after} and an evaluator with the metric {gate.metric}"
        yield Problem(f"{path}.after", f"nothing measures {gate.metric} of {gate.after!r}", remedy)
    elif not pairs(spec, gate):
        message = f"nothing measures {gate.metric} of {gate.after!r} with the adapter of {gate.compared_to!r}"
        remedy = f"add an evaluate pass with input: {gate.after} and adapter: {gate.compared_to}"
        yield Problem(f"{path}.comparedTo", message, remedy)
    elif gate.compared_to:
        yield from _comparison_problems(spec, gate, f"{path}.comparedTo")


def candidate_problems(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """That candidates make something, and that each but the last can be passed over."""
    gated = {gate.after for gate in spec.gates}
    for index, name in enumerate(spec.candidates):
        path = f"spec.candidates[{index}]"
        yield from _maker_problems(spec, name, path, measured=False)
        if name in spec.candidates[:index]:
            yield Problem(path, f"{name!r} is named twice", "name each once")
        elif name not in gated and index < len(spec.candidates) - 1:
            message = f"no gate looks at {name!r}, so that those after it are never tried"
            yield Problem(path, message, f"add a gate with after: {name}, or put it last")


def _reference_problems(spec: FineTuneJobSpec, gate: Gate, path: str) -> Iterator[Problem]:
    metrics = sorted({metric.name for evaluator in spec.evaluators for metric in evaluator.metrics})
    if gate.metric not in metrics:
        yield unknown_name(f"{path}.metric", "metric of an evaluator", gate.metric, metrics)
    yield from _maker_problems(spec, gate.after, f"{path}.after")
    if gate.compared_to == gate.after:
        remedy = "name the pass that it must not be worse than"
        yield Problem(f"{path}.comparedTo", f"{gate.after!r} would be compared with itself", remedy)
    elif gate.compared_to and gate.compared_to != BASE:
        yield from _maker_problems(spec, gate.compared_to, f"{path}.comparedTo")


def _maker_problems(spec: FineTuneJobSpec, name: str, path: str, *, measured: bool = True) -> Iterator[Problem]:
    """That a name is a pass's that makes something, and where it is to be measured something that can be."""
    known = {step.name: index for index, step in enumerate(spec.passes)}
    if name not in known:
        makers = [step.name for step in spec.passes if product_of(step) is not Product.FIGURES]
        yield unknown_name(path, "pass", name, makers)
        return
    step = spec.passes[known[name]]
    if product_of(step) is Product.FIGURES:
        source = input_name(spec, known[name])
        yield Problem(path, f"{name!r} only measures", f"name the pass that it measures: {source}")
    if measured:
        yield from _provider_problems(spec, step, path)


def _provider_problems(spec: FineTuneJobSpec, step: Pass, path: str) -> Iterator[Problem]:
    """That an export runs on some system of the job: what can't be run can't be measured, and so never passes."""
    if not isinstance(step.config, Export):
        return
    provider = execution_provider(spec, step)
    message = f"{step.name!r} is made for {provider}, which no system of the job can run"
    if provider not in RUN_HERE:
        yield Problem(path, message, "gate the model before its export, or an export for the CPU")
    elif not any(runs_on(provider, system.accelerator) for system in spec.systems):
        yield Problem(path, message, "add a system with an accelerator, or gate the model before its export")


def _comparison_problems(spec: FineTuneJobSpec, gate: Gate, path: str) -> Iterator[Problem]:
    for measured, other in pairs(spec, gate):
        if other is None:
            message = f"{measured.step!r} measures {gate.metric} of {gate.after!r}, and nothing the same of"
            remedy = (
                f"add an evaluate pass with input: {gate.compared_to}, evaluator: {measured.evaluator}"
                f" and data: {measured.data}"
            )
            yield Problem(path, f"{message} {gate.compared_to!r}", remedy)
