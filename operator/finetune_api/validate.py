"""What is wrong with a spec, beyond what its schema says: references, order, combinations. Pure.

Every finding names its place (a spec path), what is wrong, and what to do.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from finetune_api import export_options
from finetune_api.plan import ACCEPTS, BASE, Product, execution_provider, input_name, product_of, system_name
from finetune_api.problem import Problem, unknown_name
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, Lycoris, Pass, Tuning
from finetune_api.resource.systems import System, amount
from finetune_api.resource.training import FLASH_ATTENTION, Training
from finetune_api.schema_problem import schema_problem
from finetune_api.training_arguments import refusals
from finetune_api.validate_best import best_problems
from finetune_api.validate_comparison import comparison_problems
from finetune_api.validate_data import data_problems, has_answer, template_columns
from finetune_api.validate_deletion import deletion_problems
from finetune_api.validate_env import env_problems
from finetune_api.validate_extraction import extraction_problems, measured_adapter_problems
from finetune_api.validate_gates import candidate_problems, gate_problems
from finetune_api.validate_merge import merge_problems
from finetune_api.validate_model import input_model_problems
from finetune_api.validate_mounts import mount_problems
from finetune_api.validate_new_tokens import new_token_problems
from finetune_api.validate_plugin import plugin_problems
from finetune_api.validate_signing import signing_problems
from finetune_api.validate_trackers import tracker_problems

__all__ = ["Problem", "has_answer", "parse", "problems", "template_columns"]

NOUNS = {
    Product.MODEL: "a model",
    Product.ADAPTER: "an adapter",
    Product.ONNX: "an ONNX model",
    Product.FIGURES: "figures",
}


def parse(spec: Any) -> tuple[FineTuneJobSpec | None, list[Problem]]:
    """A spec as the API server stores it, and all that is wrong with it; None when it does not fit the schema."""
    try:
        parsed = FineTuneJobSpec.model_validate(spec, strict=True)  # "8" is no number, "yes" no boolean
    except ValidationError as error:
        return None, [schema_problem(item) for item in error.errors()]
    return parsed, list(problems(parsed))


def problems(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """Everything that is wrong between the parts of a spec."""
    yield from _duplicate_names(spec)
    yield from input_model_problems(spec.input_model)
    yield from data_problems(spec.data_configs)
    for index, system in enumerate(spec.systems):
        yield from env_problems(system.env, f"spec.systems[{index}].env")
        yield from mount_problems(system.volumes, f"spec.systems[{index}].volumes")
        yield from _resource_problems(f"spec.systems[{index}].resources", system)
        yield from _queue_problems(f"spec.systems[{index}]", system)
    yield from _system_reference("spec.engine.host", spec.engine.host, spec)
    yield from _system_reference("spec.prepare.system", spec.prepare.system, spec)
    for index in range(len(spec.passes)):
        yield from _pass_problems(spec, index)
    for index in range(len(spec.gates)):
        yield from gate_problems(spec, index)
    yield from candidate_problems(spec)
    yield from signing_problems(spec)
    yield from deletion_problems(spec)


def _duplicate_names(spec: FineTuneJobSpec) -> Iterator[Problem]:
    lists = {
        "dataConfigs": spec.data_configs,
        "systems": spec.systems,
        "passes": spec.passes,
        "evaluators": spec.evaluators,
    }
    for field, items in lists.items():
        names = [item.name for item in items]  # type: ignore[attr-defined]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Problem(f"spec.{field}[{index}].name", f"{name!r} is used twice", "give each a name of its own")


def _resource_problems(path: str, system: System) -> Iterator[Problem]:
    """The API server would refuse the pod: only when its stage begins, after the passes before it."""
    limits = system.resources.limits
    for name, asked in system.resources.requests.items():
        if name in limits and amount(asked) > amount(limits[name]):
            message = f"{asked} is more than the limit of {limits[name]}"
            yield Problem(f"{path}.requests.{name}", message, "lower it, or raise the limit")


def _queue_problems(path: str, system: System) -> Iterator[Problem]:
    if system.workload_priority_class_name and not system.queue_name:
        remedy = "set queueName, or use priorityClassName"
        yield Problem(f"{path}.workloadPriorityClassName", "orders a queue, and there is none", remedy)


def _system_reference(path: str, name: str, spec: FineTuneJobSpec) -> Iterator[Problem]:
    known = [system.name for system in spec.systems]
    if name and name not in known:
        yield unknown_name(path, "system", name, known)


def _pass_problems(spec: FineTuneJobSpec, index: int) -> Iterator[Problem]:
    step = spec.passes[index]
    path = f"spec.passes[{index}]"
    if step.name == BASE:
        yield Problem(f"{path}.name", "'base' means the input model", "choose another name")
    yield from _system_reference(f"{path}.system", step.system, spec)
    yield from _deadline_problems(f"{path}.activeDeadlineSeconds", spec, step)
    if not system_name(spec, step):
        yield Problem(f"{path}.system", "not set, and there are several systems", "set it, or spec.engine.host")
    yield from _input_problems(spec, index, path)
    yield from _config_problems(spec, step, f"{path}.{step.path_name}")


def _deadline_problems(path: str, spec: FineTuneJobSpec, step: Pass) -> Iterator[Problem]:
    whole, own = spec.active_deadline_seconds, step.active_deadline_seconds
    if whole is not None and own is not None and own > whole:
        message = f"{own} seconds are more than the whole job has, which are {whole}"
        yield Problem(path, message, "lower it, or raise spec.activeDeadlineSeconds")


def _input_problems(spec: FineTuneJobSpec, index: int, path: str) -> Iterator[Problem]:
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
            f"{step.path_name} works on {wanted}, but {source!r} makes {NOUNS[products[source]]}",
            _input_remedy(step, products[source], merged=source in merges),
        )
    elif step.extract_adapters:
        yield from extraction_problems(spec, index, f"{path}.{step.path_name}")
    elif step.merge_adapter_weights:
        yield from merge_problems(spec, step.merge_adapter_weights, source, f"{path}.{step.path_name}")


def _input_remedy(step: Pass, given: Product, *, merged: bool) -> str:
    if step.extract_adapters and merged:
        return "a merged adapter can't be told from its base: name the pass that tuned it by input"
    if ACCEPTS[step.variant] == {Product.ADAPTER}:
        return "put a tuning pass (lora, qlora…) before it, or name one by input"
    if step.model_builder and given is Product.ADAPTER:
        return "put a mergeAdapterWeights pass before it, use extractAdapters instead, or name a model by input"
    if given is Product.ADAPTER:
        return "put a mergeAdapterWeights pass before it, or name a model by input"
    return "name a pass that makes a model by input"


def _config_problems(spec: FineTuneJobSpec, step: Pass, path: str) -> Iterator[Problem]:
    config = step.config
    if isinstance(config, Tuning):
        yield from _tune_problems(spec, config, path)
        yield from new_token_problems(config, path) if isinstance(config, Lora) else ()
        yield from _training_problems(spec, step, config.training, f"{path}.training")
    if step.evaluate:
        yield from _data_reference(f"{path}.data", step.evaluate.data, spec)
        yield from _evaluator_problems(spec, step.evaluate.evaluator, step.evaluate.data, path)
        yield from comparison_problems(spec, step, f"{path}.comparedTo")
        yield from measured_adapter_problems(spec, spec.passes.index(step), f"{path}.adapter")
        yield from _graph_problems(spec, step, input_name(spec, spec.passes.index(step)), path.rpartition(".")[0])
        yield from _graph_problems(spec, step, step.evaluate.compared_to, f"{path}.comparedTo")
    if isinstance(config, Export):
        yield from _export_problems(spec, step, config, path)
    yield from plugin_problems(spec, step, path)


def _graph_problems(spec: FineTuneJobSpec, step: Pass, name: str, path: str) -> Iterator[Problem]:
    """That an exported graph which is to be measured, or compared with, can be run, and answers."""
    built = next((p for p in spec.passes if p.name == name), None)
    if built is None or not isinstance(built.config, Export):
        return
    provider = execution_provider(spec, built)
    if provider not in export_options.RUN_HERE:
        remedy = "measure the model before its export, or an export for the CPU"
        yield Problem(path, f"{name!r} is made for {provider}, which the runner does not bring", remedy)
    elif not _has_provider(spec, step, provider):
        message = (
            f"{name!r} is made for {provider}, which needs an accelerator that system {system_name(spec, step)!r} lacks"
        )
        yield Problem(path, message, "run it on a system with one, or measure the model before its export")
    if not export_options.gives_logits(built.config):
        remedy = "measure the model before its export"
        yield Problem(path, f"{name!r} lacks its embedding or its head, so it gives no answers", remedy)


def _has_provider(spec: FineTuneJobSpec, step: Pass, provider: str) -> bool:
    """Whether the pass's system has an execution provider; true where the system is unknown, as below."""
    system = next((s for s in spec.systems if s.name == system_name(spec, step)), None)
    return system is None or export_options.runs_on(provider, system.accelerator)


def _has_accelerator(spec: FineTuneJobSpec, step: Pass) -> bool:
    """Whether the pass's system has one; true where the system is unknown, which is another finding."""
    system = next((s for s in spec.systems if s.name == system_name(spec, step)), None)
    return system is None or system.accelerator is not None


def _export_problems(spec: FineTuneJobSpec, step: Pass, config: Export, path: str) -> Iterator[Problem]:
    for refusal in export_options.refusals(config, execution_provider(spec, step)):
        yield Problem(f"{path}.{refusal.name}", refusal.message, refusal.remedy)
    if step.model_builder and step.model_builder.calibration_data:
        yield from _data_reference(f"{path}.calibrationData", step.model_builder.calibration_data, spec)


def _data_reference(path: str, name: str, spec: FineTuneJobSpec) -> Iterator[Problem]:
    known = [config.name for config in spec.data_configs]
    if name not in known:
        yield unknown_name(path, "data config", name, known)


def _tune_problems(spec: FineTuneJobSpec, config: Tuning, path: str) -> Iterator[Problem]:
    yield from _data_reference(f"{path}.trainData", config.train_data, spec)
    if config.eval_data:
        yield from _data_reference(f"{path}.evalData", config.eval_data, spec)
    if isinstance(config, Lycoris) and config.layers_pattern and not config.layers_to_transform:
        yield Problem(f"{path}.layersPattern", "has no meaning without layersToTransform", "set layersToTransform")
    ways = {"evalData": config.eval_data, "evalFraction": config.eval_fraction, "evalRows": config.eval_rows}
    held_out = [name for name, given in ways.items() if given]
    if len(held_out) > 1:
        yield Problem(f"{path}.{held_out[-1]}", f"set together with {held_out[0]}", "choose one of the two")
    evaluates = config.training.eval_strategy != "no"
    if evaluates and not held_out:
        remedy = "set evalFraction, evalRows or evalData"
        yield Problem(f"{path}.training.evalStrategy", "there are no held-out rows", remedy)
    yield from best_problems(spec, config, f"{path}.training")
    steps = config.training
    if evaluates and 0 < steps.max_steps < steps.eval_steps and steps.eval_strategy == "steps":
        message = f"evaluation after {steps.eval_steps} steps, but training ends after {steps.max_steps}"
        yield Problem(f"{path}.training.evalSteps", message, "lower evalSteps")


def _training_problems(spec: FineTuneJobSpec, step: Pass, training: Training, path: str) -> Iterator[Problem]:
    yield from tracker_problems(spec, step, training, path)
    for refusal in refusals(training.extra, Training.names()):
        yield Problem(f"{path}.extra[{refusal.name}]", refusal.message, refusal.remedy)
    if training.warmup_steps and training.warmup_ratio:
        yield Problem(f"{path}.warmupRatio", "set together with warmupSteps", "choose one of the two")
    if training.needs_accelerator and not _has_accelerator(spec, step):
        message = f"{training.optim} needs an accelerator, and system {system_name(spec, step)!r} has none"
        yield Problem(f"{path}.optim", message, "use adamw_torch, or another system")
    if training.torch_compile and not _has_accelerator(spec, step):
        message = f"torch.compile is for accelerators, and system {system_name(spec, step)!r} has none"
        yield Problem(f"{path}.torchCompile", message, "leave it out, or use another system")
    if training.attn_implementation == FLASH_ATTENTION:
        yield from _flash_attention_problems(training, path, accelerator=_has_accelerator(spec, step))


def _flash_attention_problems(training: Training, path: str, *, accelerator: bool) -> Iterator[Problem]:
    if not accelerator:
        yield Problem(f"{path}.attnImplementation", f"{FLASH_ATTENTION} needs an accelerator", "use sdpa")
    if training.dtype == "float32":
        message = f"{FLASH_ATTENTION} computes in bfloat16, and dtype is float32"
        yield Problem(f"{path}.attnImplementation", message, "use sdpa, or leave dtype out")


def _evaluator_problems(spec: FineTuneJobSpec, name: str, data: str, path: str) -> Iterator[Problem]:
    known = {evaluator.name: evaluator for evaluator in spec.evaluators}
    if name not in known:
        yield unknown_name(f"{path}.evaluator", "evaluator", name, list(known))
        return
    config = next((c for c in spec.data_configs if c.name == data), None)
    asking = next((metric.kind_name for metric in known[name].metrics if metric.config.needs_answer), None)
    if config and asking and not has_answer(config):
        yield Problem(
            f"{path}.data",
            f"{asking} needs an answer, and the rows of {data!r} have none",
            "use a textTemplate with a prompt and an answer, a pair or a chat, or set answerColumn",
        )
