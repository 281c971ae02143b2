"""What a job's model tells of it, where it lies on this machine: modules that are not there, the memory of passes."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from finetune_api.failures import FineTuneError
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec


def model_findings(spec: FineTuneJobSpec, mounts: Mapping[str, Path]) -> tuple[list[Problem], list[str]]:
    """What calls no layer of the model or can't fit its accelerator, and a line for each pass that can be told of.

    Args:
        spec: a valid spec.
        mounts: folders that stand for claims, by name.
    """
    place = spec.input_model.source.volume
    if place is None or place.claim_name not in mounts:
        return [], []
    from finetune_runner.memory.fit import check, estimates, in_words, read_shapes  # noqa: PLC0415  only asked for here
    from finetune_runner.preparing.module_names import check_module_names  # noqa: PLC0415

    shapes = read_shapes(mounts[place.claim_name] / place.path)
    if shapes is None:
        return [], ["how much memory the passes take can't be told for this model"]
    told = estimates(spec, shapes)
    indices = {step.name: index for index, step in enumerate(spec.passes)}
    checks: list[Callable[[], None]] = [lambda: check_module_names(spec, shapes)]
    checks += [partial(check, spec, indices[name], least=found.fixed, most=found.total) for name, found in told.items()]
    problems = [problem for one in checks if (problem := _problem(one))]
    return problems, [f"pass {name} takes at most {in_words(found)}" for name, found in told.items()]


def _problem(check: Callable[[], None]) -> Problem | None:
    try:
        check()
    except FineTuneError as error:
        return Problem(error.path, error.message, error.remedy)
    return None
