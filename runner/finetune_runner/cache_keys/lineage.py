"""What each pass is made from, by role. Pure."""

from collections.abc import Mapping

from finetune_api.plan import BASE, Plan, PlannedPass, Product

INPUT_ROLE = "input"
BASE_ROLE = "base"
REFERENCE_ROLE = "reference"
REFERENCE_BASE_ROLE = "reference_base"
ADAPTER_ROLE = "adapter {}"
"""Of a further adapter, by its pass's name, which its file is called after."""


def origins(plan: Plan, step: PlannedPass) -> dict[str, str]:
    """Role to what a pass works on: the name of a pass, or BASE for the input model.

    A pass that works on an adapter also needs the model that the adapter belongs to. What it compares with, likewise.
    Further adapters belong to the same one.
    """
    named = _origin(plan, step.input, INPUT_ROLE, BASE_ROLE)
    named |= {ADAPTER_ROLE.format(name): name for name in step.further_adapters}
    if step.compared_to:
        named |= _origin(plan, step.compared_to, REFERENCE_ROLE, REFERENCE_BASE_ROLE)
    return named


def product_named(plan: Plan, name: str) -> Product:
    """What a pass makes, or BASE is."""
    return Product.MODEL if name == BASE else plan.pass_named(name).product


def source_product(plan: Plan, step: PlannedPass) -> Product:
    """What a pass works on."""
    return product_named(plan, step.input)


def resolved(names: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str] | None:
    """Names replaced by their values (keys or digests); None when one has none."""
    if not all(name in values for name in names.values()):
        return None
    return {role: values[name] for role, name in names.items()}


def _origin(plan: Plan, name: str, role: str, base_role: str) -> dict[str, str]:
    if product_named(plan, name) is Product.ADAPTER:
        return {role: name, base_role: plan.pass_named(name).base}
    return {role: name}
