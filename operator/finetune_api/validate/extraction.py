"""Which adapters can lie beside an exported graph, and be measured over it. Pure."""

from collections.abc import Iterator

from finetune_api.plan import Product, adapter_base, adapters_of, input_name, product_of
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, Pass, Tuning

NOT_FACTORS = {
    "dora": "the magnitudes of a DoRA adapter",
    "loha": "the Hadamard products of a LoHa adapter",
    "lokr": "the Kronecker products of a LoKr adapter",
}
"""Tuning passes whose adapters are more than two factors for each layer, and what the more is."""
REMEDY = "tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder"
APART = "export it by an extractAdapters pass of its own"
ALL_LAYERS = "all linear layers"


def extraction_problems(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[Problem]:
    """What is wrong with the adapters of an extractAdapters pass whose input makes one.

    Args:
        spec: the spec it is part of.
        index: of the pass.
        path: of the extraction, such as spec.passes[1].extractAdapters.
    """
    for _, found in _each_adapter(spec, index, path):
        yield from found


def measured_adapter_problems(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[Problem]:
    """That the adapter which an evaluate pass names lies beside the graph that it measures.

    Args:
        spec: the spec it is part of.
        index: of the evaluate pass.
        path: of its adapter, such as spec.passes[3].evaluate.adapter.
    """
    evaluation, source = spec.passes[index].evaluate, input_name(spec, index)
    if evaluation is None or not evaluation.adapter:
        return
    several = adapters_of(spec, source)
    if not several:
        message = f"{source!r} is no export with furtherAdapters, so there is none to choose"
        yield Problem(path, message, "leave adapter out, or name an export with furtherAdapters by input")
    elif evaluation.adapter not in several:
        yield unknown_name(path, f"adapter of {source!r}", evaluation.adapter, _accepted(spec, source))


def _accepted(spec: FineTuneJobSpec, export: str) -> list[str]:
    """The adapters of an export with furtherAdapters with which nothing is wrong."""
    index = next(at for at, step in enumerate(spec.passes) if step.name == export)
    if input_name(spec, index) not in _adapters_before(spec, index):
        return []
    return [name for name, found in _each_adapter(spec, index, "") if not found]


def _each_adapter(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[tuple[str, list[Problem]]]:
    """The adapters of an extractAdapters pass, the input's first, and what is wrong with each."""
    extraction, source = spec.passes[index].extract_adapters, input_name(spec, index)
    assert extraction is not None  # noqa: S101  the caller's choice
    yield source, list(_factor_problems(_named(spec, source), path))
    seen = [source]
    for place, name in enumerate(extraction.further_adapters):
        yield name, list(_further_problems(spec, index, name, seen, f"{path}.furtherAdapters[{place}]"))
        seen.append(name)


def _further_problems(spec: FineTuneJobSpec, index: int, name: str, seen: list[str], path: str) -> Iterator[Problem]:
    """What is wrong with one of furtherAdapters; `seen` are the input and those before it."""
    earlier = {step.name: at for at, step in enumerate(spec.passes[:index])}
    adapters = _adapters_before(spec, index)
    if name in seen:
        what = "is the input, whose adapter is there anyway" if name == seen[0] else "is named twice"
        yield Problem(path, f"{name!r} {what}", "name each pass once")
    elif name not in earlier:
        left = [other for other in adapters if not any(_further_problems(spec, index, other, seen, path))]
        yield unknown_name(path, "earlier pass with a further adapter", name, left)
    elif name not in adapters:
        yield Problem(path, f"{name!r} makes no adapter", "name a pass that tunes one (lora, qlora or loftq)")
    else:
        yield from _factor_problems(_named(spec, name), path)
        yield from _same_graph_problems(spec, earlier[seen[0]], earlier[name], path)


def _same_graph_problems(spec: FineTuneJobSpec, first: int, other: int, path: str) -> Iterator[Problem]:
    """That two adapters go over one graph: of the same base, with products at the same layers."""
    bases, names = [adapter_base(spec, at) for at in (first, other)], [spec.passes[at].name for at in (first, other)]
    if bases[0] != bases[1]:
        message = f"the adapter of {names[1]!r} belongs to {bases[1]!r}, that of {names[0]!r} to {bases[0]!r}"
        yield Problem(path, message, f"name passes that tune the same model, or {APART}")
        return
    layers = [_layers(spec.passes[at]) for at in (first, other)]
    if None not in layers and layers[0] != layers[1]:
        told = [", ".join(sorted(found)) or ALL_LAYERS for found in layers if found is not None]
        message = f"the adapter of {names[1]!r} lies on {told[1]}, that of {names[0]!r} on {told[0]}"
        yield Problem(path, message, f"give both passes the same targetModules, or {APART}")


def _layers(step: Pass) -> frozenset[str] | None:
    """What targetModules names; None where another's package decides it."""
    return frozenset(step.config.target_modules) if isinstance(step.config, Tuning) else None


def _factor_problems(tuned: Pass, path: str) -> Iterator[Problem]:
    """What of an adapter would be lost in an ONNX adapter file, which holds two factors for each layer."""
    source = tuned.name
    if tuned.variant in NOT_FACTORS:
        message = f"{NOT_FACTORS[tuned.variant]} ({source!r}) have no place in an ONNX adapter"
        yield Problem(path, message, REMEDY)
    if isinstance(tuned.config, Tuning) and tuned.config.modules_to_save:
        message = f"{source!r} also trains modules in full (modulesToSave), which have no place in an ONNX adapter"
        yield Problem(path, message, "leave modulesToSave out, or merge the adapter and export with modelBuilder")
    if isinstance(tuned.config, Lora) and tuned.config.new_tokens:
        message = f"{source!r} has embeddings of new tokens (newTokens), which have no place in an ONNX adapter"
        yield Problem(path, message, "leave newTokens out, or merge the adapter and export with modelBuilder")


def _adapters_before(spec: FineTuneJobSpec, index: int) -> list[str]:
    return [step.name for step in spec.passes[:index] if product_of(step) is Product.ADAPTER]


def _named(spec: FineTuneJobSpec, name: str) -> Pass:
    return next(step for step in spec.passes if step.name == name)
