"""From spec to plan: which pass works on what, and which passes share a pod. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass
from finetune_api.resource.plugin import MetricPlugin
from finetune_api.resource.systems import System
from finetune_api.turns import turns

BASE = "base"
"""The input model, as a pass's input."""


class Product(StrEnum):
    """What a pass makes, and what it can work on."""

    MODEL = "model"
    """A transformers directory: config.json, tokenizer, safetensors."""
    ADAPTER = "adapter"
    """A peft directory: adapter_config.json, adapter_model.safetensors."""
    ONNX = "onnx"
    """An onnxruntime-genai directory: genai_config.json, model.onnx, tokenizer."""
    FIGURES = "figures"
    """metrics.json; no model."""


TUNING = ("lora", "qlora", "dora", "loftq", "loha", "lokr")
"""The passes that train an adapter."""

PRODUCES: dict[str, Product] = {
    **dict.fromkeys(TUNING, Product.ADAPTER),
    "merge_adapter_weights": Product.MODEL,
    "model_builder": Product.ONNX,
    "extract_adapters": Product.ONNX,
    "evaluate": Product.FIGURES,
}
"""Of the passes that always make the same; a plugin's spec says what it makes."""

ACCEPTS: dict[str, frozenset[Product]] = {
    **dict.fromkeys(TUNING, frozenset({Product.MODEL})),
    "merge_adapter_weights": frozenset({Product.ADAPTER}),
    "model_builder": frozenset({Product.MODEL}),
    "extract_adapters": frozenset({Product.ADAPTER}),
    "evaluate": frozenset({Product.MODEL, Product.ADAPTER, Product.ONNX}),
    "plugin": frozenset({Product.MODEL, Product.ADAPTER, Product.ONNX}),
}


@dataclass(frozen=True)
class PlannedPass:
    """A pass with its references resolved."""

    index: int
    """Position in spec.passes."""
    spec: Pass
    system: str
    input: str
    """Name of the pass it works on, or BASE."""
    product: Product
    base: str
    """For an adapter: the pass (or BASE) whose model the adapter belongs to; else empty."""
    compared_to: str = ""
    """Of an evaluation: the pass (or BASE) whose output it compares with; empty for none."""
    further_adapters: tuple[str, ...] = ()
    """Of an export of adapters: the passes, beside its input, whose adapters lie beside the graph."""
    turn: int = 0
    """Position of the candidate in whose turn it is made: later ones are tried only where earlier ones have failed."""

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True)
class Stage:
    """Consecutive passes on one system: one Kubernetes Job, one pod."""

    index: int
    system: System
    passes: tuple[PlannedPass, ...]


@dataclass(frozen=True)
class Plan:
    passes: tuple[PlannedPass, ...]
    stages: tuple[Stage, ...]
    candidates: tuple[PlannedPass, ...]
    """The passes of which one's output is published, best first; none when all only measure."""

    @property
    def measuring(self) -> frozenset[int]:
        """Positions in spec.passes of those that only measure."""
        return frozenset(step.index for step in self.passes if step.product is Product.FIGURES)

    def pass_named(self, name: str) -> PlannedPass:
        return next(p for p in self.passes if p.name == name)


def plan(spec: FineTuneJobSpec) -> Plan:
    """The plan of a spec that `validate.problems` finds nothing wrong with.

    Raises:
        KeyError: a reference leads nowhere; validate first.
    """
    passes = _planned_passes(spec)
    return Plan(passes=passes, stages=_stages(spec, passes), candidates=_candidates(spec, passes))


def system_name(spec: FineTuneJobSpec, step: Pass) -> str:
    """The system a pass runs on: its own, the engine's host, or the only one; empty when that leaves it open."""
    only = spec.systems[0].name if len(spec.systems) == 1 else ""
    return step.system or spec.engine.host or only


def prepare_system(spec: FineTuneJobSpec) -> str:
    """The system whose placement prepare shares, and whose image if there are plugins; empty for none."""
    return spec.prepare.system or next((system_name(spec, s) for s in spec.passes if needs_plugins(spec, s)), "")


def needs_plugins(spec: FineTuneJobSpec, step: Pass) -> bool:
    """Whether a pass needs a third party's package: it is a plugin, or measures with one."""
    return step.plugin is not None or bool(metric_plugins(spec, step))


def metric_plugins(spec: FineTuneJobSpec, step: Pass) -> dict[tuple[int, int], MetricPlugin]:
    """The plugins among an evaluate pass's metrics, by the evaluator's and the metric's positions in the spec."""
    named = step.evaluate.evaluator if step.evaluate else ""
    return {
        (at, place): metric.plugin
        for at, evaluator in enumerate(spec.evaluators)
        if evaluator.name == named
        for place, metric in enumerate(evaluator.metrics)
        if metric.plugin
    }


def product_of(step: Pass) -> Product:
    """What a pass makes."""
    return Product(step.plugin.produces) if step.plugin else PRODUCES[step.variant]


def input_name(spec: FineTuneJobSpec, index: int) -> str:
    """What a pass works on when it names nothing: the previous pass that makes a model, else the base."""
    if named := spec.passes[index].input:
        return named
    makers = (p.name for p in reversed(spec.passes[:index]) if product_of(p) is not Product.FIGURES)
    return next(makers, BASE)


def adapter_base(spec: FineTuneJobSpec, index: int) -> str:
    """The pass (or BASE) whose model the adapter that a pass makes belongs to.

    That is its input, or where it works on an adapter, that one's.
    """
    source = input_name(spec, index)
    earlier = (at for at, step in enumerate(spec.passes[:index]) if step.name == source)
    return next((adapter_base(spec, at) for at in earlier if product_of(spec.passes[at]) is Product.ADAPTER), source)


def adapters_of(spec: FineTuneJobSpec, name: str) -> tuple[str, ...]:
    """The passes whose adapters lie beside the graph that a pass exports, the input's first; none where it is alone."""
    index = next((at for at, step in enumerate(spec.passes) if step.name == name), None)
    extraction = spec.passes[index].extract_adapters if index is not None else None
    if index is None or extraction is None or not extraction.further_adapters:
        return ()
    return (input_name(spec, index), *extraction.further_adapters)


def measured_adapter(spec: FineTuneJobSpec, index: int) -> str:
    """The pass whose adapter an evaluate pass measures over a graph that has several; empty for any other."""
    evaluation, several = spec.passes[index].evaluate, adapters_of(spec, input_name(spec, index))
    return (evaluation.adapter or several[0]) if evaluation and several else ""


def reference_adapter(spec: FineTuneJobSpec, index: int) -> str:
    """The same of the graph that an evaluate pass compares with: the adapter that it measures, or else its input's."""
    evaluation = spec.passes[index].evaluate
    several = adapters_of(spec, evaluation.compared_to) if evaluation else ()
    mine = measured_adapter(spec, index)
    return mine if mine in several else next(iter(several), "")


def execution_provider(spec: FineTuneJobSpec, step: Pass) -> str:
    """The execution provider an export is made for."""
    own = step.config.execution_provider if isinstance(step.config, Export) else ""
    return own or spec.engine.target.execution_provider


def _planned_passes(spec: FineTuneJobSpec) -> tuple[PlannedPass, ...]:
    planned: dict[str, PlannedPass] = {}
    for index, step in enumerate(spec.passes):
        product = product_of(step)
        source = input_name(spec, index)
        planned[step.name] = PlannedPass(
            index=index,
            spec=step,
            system=system_name(spec, step),
            input=source,
            product=product,
            base=adapter_base(spec, index) if product is Product.ADAPTER else "",
            compared_to=step.evaluate.compared_to if step.evaluate else "",
            further_adapters=tuple(step.extract_adapters.further_adapters) if step.extract_adapters else (),
        )
    made_from = {
        step.name: (step.input, step.base, step.compared_to, *step.further_adapters) for step in planned.values()
    }
    own = turns(spec, made_from)
    return tuple(replace(step, turn=own[step.name]) for step in planned.values())


def _candidates(spec: FineTuneJobSpec, passes: tuple[PlannedPass, ...]) -> tuple[PlannedPass, ...]:
    """Those that the spec names, else the last pass that makes a model."""
    if spec.candidates:
        named = {step.name: step for step in passes}
        return tuple(named[name] for name in spec.candidates)
    return tuple(step for step in passes if step.product is not Product.FIGURES)[-1:]


def _stages(spec: FineTuneJobSpec, passes: tuple[PlannedPass, ...]) -> tuple[Stage, ...]:
    """In the spec's order, but turn by turn: what may not be needed comes last."""
    systems = {system.name: system for system in spec.systems}
    groups: list[list[PlannedPass]] = []
    for step in sorted(passes, key=lambda step: step.turn):
        if groups and groups[-1][-1].system == step.system:
            groups[-1].append(step)
        else:
            groups.append([step])
    return tuple(Stage(i, systems[group[0].system], tuple(group)) for i, group in enumerate(groups))
