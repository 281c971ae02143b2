"""What is wrong with what an evaluation compares with. Pure."""

from collections.abc import Iterator

from finetune_api.plan import BASE, Product, input_name, product_of
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass


def comparison_problems(spec: FineTuneJobSpec, step: Pass, path: str) -> Iterator[Problem]:
    """What is wrong with the comparedTo of an evaluate pass.

    Args:
        spec: the spec it is part of.
        step: a pass with evaluate.
        path: of its comparedTo, such as spec.passes[3].evaluate.comparedTo.
    """
    assert step.evaluate is not None  # noqa: S101  the caller's choice
    index, named = spec.passes.index(step), step.evaluate.compared_to
    evaluator = next((e for e in spec.evaluators if e.name == step.evaluate.evaluator), None)
    comparing = [m.variant_alias for m in evaluator.metrics if m.config.needs_reference] if evaluator else []
    if comparing and not named:
        message = f"{comparing[0]} compares with another model, and none is named"
        yield Problem(path, message, "name the pass that makes it, or base")
    if not named:
        return
    if evaluator and not comparing:
        message = f"no metric of {evaluator.name!r} compares with another model"
        yield Problem(path, message, "add one (kl), or leave comparedTo out")
    products = {BASE: Product.MODEL, **{p.name: product_of(p) for p in spec.passes[:index]}}
    if named not in products:
        yield unknown_name(path, "earlier pass", named, list(products))
    elif products[named] is Product.FIGURES:
        yield Problem(path, f"{named!r} makes figures", "name a pass that makes a model")
    elif named == input_name(spec, index):
        yield Problem(path, f"{named!r} would be compared with itself", "name another pass, or base")
