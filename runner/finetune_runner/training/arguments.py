"""The resource's training arguments as transformers' TrainingArguments."""

import logging
from pathlib import Path

import torch
from transformers import TrainingArguments

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.training import Training
from finetune_api.training_arguments import parsed

log = logging.getLogger(__name__)

OURS = (
    "dtype",
    "attn_implementation",
    "optim",
    "torch_compile",
    "gradient_checkpointing",
    "warmup_steps",
    "warmup_ratio",
    "group_by_length",
    "load_best_model_at_end",
    "early_stopping_patience",
    "metric_for_best_model",
    "save_seconds",
    "save_steps",
    "save_total_limit",
    "report_to",
    "extra",
)
"""Fields that are not handed on under their own name."""

ADAMW, FUSED = "adamw_torch", "adamw_torch_fused"
"""The same arithmetic; fused, a step is one kernel instead of several for each tensor."""
TF32 = "tf32"
"""An argument that the pass sets for as long as it runs; transformers sets it for the process, and once."""
GROUPED = "group_by_length"
"""transformers' name of an order by length."""


def training_arguments(
    training: Training, *, scratch: Path, device: str, dtype: torch.dtype, path: str, checkpointing: bool = False
) -> TrainingArguments:
    """What Trainer wants to know. Fields of `training` carry transformers' own names.

    Args:
        training: of the spec.
        scratch: a directory for what Trainer writes.
        device: cpu or cuda.
        dtype: type of the base's weights.
        path: of `training` in the spec.
        checkpointing: whether activations are computed twice.

    Raises:
        FineTuneError: InvalidSpec, transformers refuses a value.
    """
    try:
        arguments = _arguments(training, scratch=scratch, device=device, dtype=dtype, checkpointing=checkpointing)
    except (ValueError, TypeError, ImportError) as error:
        remedy = "See the description of transformers' TrainingArguments."
        raise FineTuneError(Reason.INVALID_SPEC, str(error), remedy=remedy, path=path) from error
    _train_on_one_device(arguments)
    return arguments


def _train_on_one_device(arguments: TrainingArguments) -> None:
    """Where a process sees several, transformers would wrap the model in nn.DataParallel, which hides all but its
    forward from us, and makes the batch as many times as large.
    """
    if arguments.n_gpu > 1:  # which looks for them, and would overwrite what is set below
        log.warning("the pod has %d accelerators, and training uses one: set accelerator.count: 1", arguments.n_gpu)
        arguments._n_gpu = 1  # noqa: SLF001  as Trainer does where a model is parallel by itself; it has no setter


def _arguments(
    training: Training, *, scratch: Path, device: str, dtype: torch.dtype, checkpointing: bool
) -> TrainingArguments:
    further = {name: value for name, value in parsed(training.extra).items() if name != TF32}
    return TrainingArguments(
        **training.model_dump(by_alias=False, exclude=set(OURS)),
        activation_checkpointing=checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if checkpointing else None,
        optim=FUSED if training.optim == ADAMW and device == "cuda" else training.optim,
        output_dir=str(scratch),
        warmup_steps=training.warmup_ratio or training.warmup_steps,  # below 1 it is a share
        train_sampling_strategy=GROUPED if training.group_by_length else "random",
        bf16=dtype is torch.bfloat16,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        save_strategy="no",  # Checkpointing decides when
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        label_names=["labels"],
        **further,
    )
