"""What is wrong with a tuning pass: its rows, its training arguments, what it asks of its system. Pure."""

from collections.abc import Iterator

from finetune_api.plan import system_name
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, Lycoris, Pass, Tuning
from finetune_api.resource.training import FLASH_ATTENTION, Training
from finetune_api.training_arguments import refusals
from finetune_api.validate.best import best_problems
from finetune_api.validate.names import data_reference
from finetune_api.validate.new_tokens import new_token_problems
from finetune_api.validate.systems import has_accelerator
from finetune_api.validate.trackers import tracker_problems


def tuning_problems(spec: FineTuneJobSpec, step: Pass, config: Tuning, path: str) -> Iterator[Problem]:
    """All that is wrong with a tuning pass.

    Args:
        spec: the spec it is part of.
        step: the pass.
        config: its config.
        path: of that, such as spec.passes[0].lora.
    """
    yield from _row_problems(spec, config, path)
    yield from best_problems(spec, config, f"{path}.training")
    yield from _step_problems(config.training, f"{path}.training")
    yield from new_token_problems(config, path) if isinstance(config, Lora) else ()
    yield from _training_problems(spec, step, config.training, f"{path}.training")


def _row_problems(spec: FineTuneJobSpec, config: Tuning, path: str) -> Iterator[Problem]:
    yield from data_reference(f"{path}.trainData", config.train_data, spec)
    if config.eval_data:
        yield from data_reference(f"{path}.evalData", config.eval_data, spec)
    if isinstance(config, Lycoris) and config.layers_pattern and not config.layers_to_transform:
        yield Problem(f"{path}.layersPattern", "has no meaning without layersToTransform", "set layersToTransform")
    ways = {"evalData": config.eval_data, "evalFraction": config.eval_fraction, "evalRows": config.eval_rows}
    held_out = [name for name, given in ways.items() if given]
    if len(held_out) > 1:
        yield Problem(f"{path}.{held_out[-1]}", f"set together with {held_out[0]}", "choose one of the two")
    if config.training.eval_strategy != "no" and not held_out:
        remedy = "set evalFraction, evalRows or evalData"
        yield Problem(f"{path}.training.evalStrategy", "there are no held-out rows", remedy)


def _step_problems(training: Training, path: str) -> Iterator[Problem]:
    if training.eval_strategy == "steps" and 0 < training.max_steps < training.eval_steps:
        message = f"evaluation after {training.eval_steps} steps, but training ends after {training.max_steps}"
        yield Problem(f"{path}.evalSteps", message, "lower evalSteps")


def _training_problems(spec: FineTuneJobSpec, step: Pass, training: Training, path: str) -> Iterator[Problem]:
    yield from tracker_problems(spec, step, training, path)
    for refusal in refusals(training.extra, Training.names()):
        yield Problem(f"{path}.extra[{refusal.name}]", refusal.message, refusal.remedy)
    if training.warmup_steps and training.warmup_ratio:
        yield Problem(f"{path}.warmupRatio", "set together with warmupSteps", "choose one of the two")
    if training.needs_accelerator and not has_accelerator(spec, step):
        message = f"{training.optim} needs an accelerator, and system {system_name(spec, step)!r} has none"
        yield Problem(f"{path}.optim", message, "use adamw_torch, or another system")
    if training.torch_compile and not has_accelerator(spec, step):
        message = f"torch.compile is for accelerators, and system {system_name(spec, step)!r} has none"
        yield Problem(f"{path}.torchCompile", message, "leave it out, or use another system")
    if training.attn_implementation == FLASH_ATTENTION:
        yield from _flash_attention_problems(training, path, accelerator=has_accelerator(spec, step))


def _flash_attention_problems(training: Training, path: str, *, accelerator: bool) -> Iterator[Problem]:
    if not accelerator:
        yield Problem(f"{path}.attnImplementation", f"{FLASH_ATTENTION} needs an accelerator", "use sdpa")
    if training.dtype == "float32":
        message = f"{FLASH_ATTENTION} computes in bfloat16, and dtype is float32"
        yield Problem(f"{path}.attnImplementation", message, "use sdpa, or leave dtype out")
