"""The training arguments of the tuning passes; names and meaning as in transformers' TrainingArguments.

https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments
"""

from typing import Literal

from pydantic import Field

from finetune_api.resource.base import Model


class Training(Model):
    """How the adapter is trained."""

    seed: int = Field(default=42, ge=0, le=4294967295, description="Seed of weights, dropout and the held-out split.")
    data_seed: int = Field(default=42, ge=0, le=4294967295, description="Seed of the rows' order.")
    per_device_train_batch_size: int = Field(default=8, ge=1, le=4096, description="Sequences in a micro-batch.")
    per_device_eval_batch_size: int = Field(default=8, ge=1, le=4096, description="Sequences in an evaluation batch.")
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=4096, description="Micro-batches in an optimizer step."
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Compute activations twice to save memory.",
    )
    learning_rate: float = Field(default=2e-4, gt=0, le=1, description="Peak learning rate.")
    lr_scheduler_type: Literal["constant", "linear", "cosine", "constant_with_warmup"] = Field(
        default="constant",
        description="Course of the learning rate.",
    )
    warmup_steps: int = Field(default=0, ge=0, le=1000000, description="Steps in which the learning rate rises from 0.")
    num_train_epochs: float = Field(
        default=3, gt=0, le=1000, description="Passes over the data; maxSteps overrides it."
    )
    max_steps: int = Field(default=-1, ge=-1, le=10000000, description="Optimizer steps; -1: by numTrainEpochs.")
    weight_decay: float = Field(default=0, ge=0, le=1, description="Decoupled weight decay.")
    adam_beta1: float = Field(default=0.9, ge=0, lt=1, description="AdamW's beta1.")
    adam_beta2: float = Field(default=0.999, ge=0, lt=1, description="AdamW's beta2.")
    adam_epsilon: float = Field(default=1e-8, gt=0, le=1, description="AdamW's epsilon.")
    max_grad_norm: float = Field(default=1.0, ge=0, le=1000, description="Gradient clipping; 0: none.")
    logging_steps: int = Field(default=10, ge=1, le=1000000, description="Steps between two lines of the log.")
    eval_strategy: Literal["no", "steps", "epoch"] = Field(
        default="no",
        description="When the held-out rows are evaluated during training.",
    )
    eval_steps: int = Field(
        default=500, ge=1, le=10000000, description="Steps between evaluations with evalStrategy: steps."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Type of the base's weights while training; auto: bfloat16 on an accelerator that has it, else float32.",
    )
