"""How much memory a job's passes take, where its model lies on this machine."""

from collections.abc import Mapping
from pathlib import Path

from finetune_api.failures import FineTuneError
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec


def memory_findings(spec: FineTuneJobSpec, mounts: Mapping[str, Path]) -> tuple[list[Problem], list[str]]:
    """What can't fit its accelerator, and a line for each pass that can be told of.

    Args:
        spec: a valid spec.
        mounts: folders that stand for claims, by name.
    """
    place = spec.input_model.source.volume
    if place is None or place.claim_name not in mounts:
        return [], []
    from finetune_runner.memory.fit import check, estimates, in_words, read_shapes  # noqa: PLC0415  only asked for here

    shapes = read_shapes(mounts[place.claim_name] / place.path)
    if shapes is None:
        return [], ["how much memory the passes take can't be told for this model"]
    told = estimates(spec, shapes)
    indices = {step.name: index for index, step in enumerate(spec.passes)}
    problems = []
    for name, found in told.items():
        try:
            check(spec, indices[name], least=found.fixed, most=found.total)
        except FineTuneError as error:
            problems.append(Problem(error.path, error.message, error.remedy))
    return problems, [f"pass {name} takes at most {in_words(found)}" for name, found in told.items()]
