"""A spec whose passes all compute on the CPU. Pure."""

from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass, Tuning
from finetune_api.validate import problems

SAME_ARITHMETIC = {"paged_adamw_32bit": "adamw_torch"}
"""Optimizers that need an accelerator, because of where they keep their state, to those that compute the same."""


def on_cpu(spec: FineTuneJobSpec) -> tuple[FineTuneJobSpec, list[str]]:
    """The spec without accelerators, and what else had to be changed for it.

    Args:
        spec: a valid one.

    Raises:
        FineTuneError: InvalidSpec, for what only an accelerator computes.
    """
    systems = [system.model_copy(update={"accelerator": None}) for system in spec.systems]
    passes = [_with_optimizer(step) for step in spec.passes]
    changed = spec.model_copy(update={"systems": systems, "passes": passes})
    for problem in problems(changed):
        raise FineTuneError(Reason.INVALID_SPEC, problem.message, remedy=problem.remedy, path=problem.path)
    notes = [
        f"spec.passes[{index}].{after.path_name}.training.optim: {_optimizer(after)}, which computes the same as"
        f" {_optimizer(before)} and needs no accelerator"
        for index, (before, after) in enumerate(zip(spec.passes, passes, strict=True))
        if before is not after
    ]
    return changed, notes


def _with_optimizer(step: Pass) -> Pass:
    config: Any = step.config
    if not isinstance(config, Tuning) or config.training.optim not in SAME_ARITHMETIC:
        return step
    training = config.training.model_copy(update={"optim": SAME_ARITHMETIC[config.training.optim]})
    return step.model_copy(update={step.variant: config.model_copy(update={"training": training})})


def _optimizer(step: Pass) -> str:
    config: Any = step.config
    return str(config.training.optim)
