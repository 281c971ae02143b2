"""That a pass can work on what it is given. Pure."""

from collections.abc import Iterator

from finetune_api.plan import ACCEPTS, BASE, Product, input_name, product_of
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass
from finetune_api.validate.extraction import extraction_problems
from finetune_api.validate.merge import merge_problems

NOUNS = {
    Product.MODEL: "a model",
    Product.ADAPTER: "an adapter",
    Product.ONNX: "an ONNX model",
    Product.FIGURES: "figures",
}


def input_problems(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[Problem]:
    """That there is such an input, that it is of a kind that the pass takes, and that it fits the pass.

    Args:
        spec: the spec.
        index: of the pass.
        path: of the pass, such as spec.passes[1].
    """
    step, source = spec.passes[index], input_name(spec, index)
    earlier = {p.name: product_of(p) for p in spec.passes[:index]}
    products = {BASE: Product.MODEL, **earlier}
    merges = {p.name for p in spec.passes[:index] if p.merge_adapter_weights}
    if source not in products:
        yield unknown_name(f"{path}.input", "earlier pass", source, list(products))
    elif products[source] not in ACCEPTS[step.variant]:
        wanted = " or ".join(NOUNS[product] for product in sorted(ACCEPTS[step.variant]))
        yield Problem(
            f"{path}.input" if step.input else path,
            f"{step.variant_alias} works on {wanted}, but {source!r} makes {NOUNS[products[source]]}",
            _remedy(step, products[source], merged=source in merges),
        )
    elif step.extract_adapters:
        yield from extraction_problems(spec, index, f"{path}.{step.variant_alias}")
    elif step.merge_adapter_weights:
        yield from merge_problems(spec, step.merge_adapter_weights, source, f"{path}.{step.variant_alias}")


def _remedy(step: Pass, given: Product, *, merged: bool) -> str:
    if step.extract_adapters and merged:
        return "a merged adapter can't be told from its base: name the pass that tuned it by input"
    if ACCEPTS[step.variant] == {Product.ADAPTER}:
        return "put a tuning pass (lora, qlora…) before it, or name one by input"
    if step.model_builder and given is Product.ADAPTER:
        return "put a mergeAdapterWeights pass before it, use extractAdapters instead, or name a model by input"
    if given is Product.ADAPTER:
        return "put a mergeAdapterWeights pass before it, or name a model by input"
    return "name a pass that makes a model by input"
