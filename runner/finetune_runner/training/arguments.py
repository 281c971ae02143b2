"""The resource's training arguments as transformers' TrainingArguments."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from finetune_api.resource.training import Training

OURS = ("dtype", "gradient_checkpointing")
"""Fields that are not handed on under their own name."""


def training_arguments(training: Training, *, scratch: Path, device: str, dtype: torch.dtype) -> TrainingArguments:
    """What Trainer wants to know. Fields of `training` carry transformers' own names.

    Args:
        training: of the spec.
        scratch: a directory for what Trainer writes.
        device: cpu or cuda.
        dtype: type of the base's weights.
    """
    return TrainingArguments(
        **training.model_dump(by_alias=False, exclude=set(OURS)),
        activation_checkpointing=training.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if training.gradient_checkpointing else None,
        output_dir=str(scratch),
        optim="adamw_torch",
        bf16=dtype is torch.bfloat16,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        label_names=["labels"],
    )
