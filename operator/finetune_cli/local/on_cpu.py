"""A spec whose passes all compute on the CPU. Pure."""

from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass, Tuning
from finetune_api.resource.training import FLASH_ATTENTION, Training
from finetune_api.validate import problems

SAME_ARITHMETIC: dict[str, dict[object, tuple[object, str]]] = {
    "optim": {"paged_adamw_32bit": ("adamw_torch", "adamw_torch, which computes the same as paged_adamw_32bit and")},
    "attn_implementation": {FLASH_ATTENTION: ("auto", f"auto, which computes the same as {FLASH_ATTENTION} and")},
    "torch_compile": {True: (False, "false, which computes the same and")},
}
"""Fields of training to values that need an accelerator for how they compute and not for what, each with one that does
not, and the beginning of what is said of it.
"""


def on_cpu(spec: FineTuneJobSpec) -> tuple[FineTuneJobSpec, list[str]]:
    """The spec without accelerators, and what else had to be changed for it.

    Args:
        spec: a valid one.

    Raises:
        FineTuneError: InvalidSpec, for what only an accelerator computes.
    """
    systems = [system.model_copy(update={"accelerator": None}) for system in spec.systems]
    replaced = [_replaced(step) for step in spec.passes]
    passes = [_with_training(step, found) for step, found in zip(spec.passes, replaced, strict=True)]
    changed = spec.model_copy(update={"systems": systems, "passes": passes})
    for problem in problems(changed):
        raise FineTuneError(Reason.INVALID_SPEC, problem.message, remedy=problem.remedy, path=problem.path)
    names = Training.names()
    return changed, [
        f"spec.passes[{index}].{step.variant_alias}.training.{names[field]}: {said} needs no accelerator"
        for index, (step, found) in enumerate(zip(spec.passes, replaced, strict=True))
        for field, (_, said) in found.items()
    ]


def _replaced(step: Pass) -> dict[str, tuple[object, str]]:
    """Fields of a tuning pass's training to their new value and what is said of it."""
    config: Any = step.config
    if not isinstance(config, Tuning):
        return {}
    values = {field: getattr(config.training, field) for field in SAME_ARITHMETIC}
    return {field: SAME_ARITHMETIC[field][value] for field, value in values.items() if value in SAME_ARITHMETIC[field]}


def _with_training(step: Pass, replaced: dict[str, tuple[object, str]]) -> Pass:
    if not replaced:
        return step
    config: Any = step.config
    training = config.training.model_copy(update={field: value for field, (value, _) in replaced.items()})
    return step.model_copy(update={step.variant: config.model_copy(update={"training": training})})
