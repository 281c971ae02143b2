"""What is wrong with a spec, beyond what its schema says: references, order, combinations. Pure.

Every finding names its place (a spec path), what is wrong, and what to do. One part of the spec a module; what a pass
says is held together here.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from finetune_api.plan import BASE, system_name
from finetune_api.problem import Problem
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass, Tuning
from finetune_api.schema_problem import schema_problem
from finetune_api.validate.data import data_problems, has_answer, template_columns
from finetune_api.validate.deletion import deletion_problems
from finetune_api.validate.evaluation import evaluation_problems
from finetune_api.validate.exports import export_problems
from finetune_api.validate.gates import candidate_problems, gate_problems
from finetune_api.validate.inputs import input_problems
from finetune_api.validate.model import input_model_problems
from finetune_api.validate.names import duplicate_names, system_reference
from finetune_api.validate.plugin import plugin_problems
from finetune_api.validate.signing import signing_problems
from finetune_api.validate.systems import system_problems
from finetune_api.validate.tuning import tuning_problems

__all__ = ["Problem", "has_answer", "parse", "problems", "template_columns"]


def parse(spec: Any) -> tuple[FineTuneJobSpec | None, list[Problem]]:
    """A spec as the API server stores it, and all that is wrong with it; None when it does not fit the schema."""
    try:
        parsed = FineTuneJobSpec.model_validate(spec, strict=True)  # "8" is no number, "yes" no boolean
    except ValidationError as error:
        return None, [schema_problem(item) for item in error.errors()]
    return parsed, list(problems(parsed))


def problems(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """Everything that is wrong between the parts of a spec."""
    yield from duplicate_names(spec)
    yield from input_model_problems(spec.input_model)
    yield from data_problems(spec.data_configs)
    for index, system in enumerate(spec.systems):
        yield from system_problems(system, f"spec.systems[{index}]")
    yield from system_reference("spec.engine.host", spec.engine.host, spec)
    yield from system_reference("spec.prepare.system", spec.prepare.system, spec)
    for index in range(len(spec.passes)):
        yield from _pass_problems(spec, index)
    for index in range(len(spec.gates)):
        yield from gate_problems(spec, index)
    yield from candidate_problems(spec)
    yield from signing_problems(spec)
    yield from deletion_problems(spec)


def _pass_problems(spec: FineTuneJobSpec, index: int) -> Iterator[Problem]:
    step = spec.passes[index]
    path = f"spec.passes[{index}]"
    if step.name == BASE:
        yield Problem(f"{path}.name", "'base' means the input model", "choose another name")
    yield from system_reference(f"{path}.system", step.system, spec)
    yield from _deadline_problems(f"{path}.activeDeadlineSeconds", spec, step)
    if not system_name(spec, step):
        yield Problem(f"{path}.system", "not set, and there are several systems", "set it, or spec.engine.host")
    yield from input_problems(spec, index, path)
    yield from _config_problems(spec, index, f"{path}.{step.variant_alias}")


def _deadline_problems(path: str, spec: FineTuneJobSpec, step: Pass) -> Iterator[Problem]:
    whole, own = spec.active_deadline_seconds, step.active_deadline_seconds
    if whole is not None and own is not None and own > whole:
        message = f"{own} seconds are more than the whole job has, which are {whole}"
        yield Problem(path, message, "lower it, or raise spec.activeDeadlineSeconds")


def _config_problems(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[Problem]:
    step = spec.passes[index]
    if isinstance(step.config, Tuning):
        yield from tuning_problems(spec, step, step.config, path)
    if step.evaluate:
        yield from evaluation_problems(spec, index, step.evaluate, path)
    if isinstance(step.config, Export):
        yield from export_problems(spec, step, step.config, path)
    yield from plugin_problems(spec, step, path)
