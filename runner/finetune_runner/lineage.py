"""What each pass is made from, by role. Pure."""

from collections.abc import Mapping

from finetune_api.plan import BASE, Plan, PlannedPass, Product

INPUT_ROLE = "input"
BASE_ROLE = "base"


def origins(plan: Plan, step: PlannedPass) -> dict[str, str]:
    """Role to what a pass works on: the name of a pass, or BASE for the input model.

    A pass that works on an adapter also needs the model that the adapter belongs to.
    """
    source = source_of(plan, step)
    if source is not None and source.product is Product.ADAPTER:
        return {INPUT_ROLE: step.input, BASE_ROLE: source.base}
    return {INPUT_ROLE: step.input}


def source_of(plan: Plan, step: PlannedPass) -> PlannedPass | None:
    """The pass that a pass works on; None for the input model."""
    return None if step.input == BASE else plan.pass_named(step.input)


def source_product(plan: Plan, step: PlannedPass) -> Product:
    """What a pass works on."""
    source = source_of(plan, step)
    return source.product if source else Product.MODEL


def resolved(names: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str] | None:
    """Names replaced by their values (keys or digests); None when one has none."""
    if not all(name in values for name in names.values()):
        return None
    return {role: values[name] for role, name in names.items()}
