"""The training arguments of the tuning passes; names and meaning as in transformers' TrainingArguments.

https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, empty_list

ArgumentName = Annotated[str, StringConstraints(min_length=1, max_length=63)]
ArgumentValue = Annotated[str, StringConstraints(max_length=4096)]

FLASH_ATTENTION = "flash_attention_2"
EAGER = "eager"
BITSANDBYTES = frozenset(
    {
        "adamw_bnb_8bit",
        "paged_adamw_32bit",
        "paged_adamw_8bit",
        "lion_32bit",
        "lion_8bit",
        "paged_lion_32bit",
        "paged_lion_8bit",
    }
)
"""Optimizers of bitsandbytes, which we run on an accelerator only."""


WITHOUT_EFFECT = frozenset({"gradientCheckpointing", "reportTo", "saveSeconds", "saveSteps", "saveTotalLimit"})
"""Fields, by their name in the manifest, that do not decide what training makes, or only what it costs."""


class Training(Model):
    """How the adapter is trained."""

    seed: int = Field(default=42, ge=0, le=4294967295, description="Seed of weights, dropout and the held-out split.")
    data_seed: int = Field(default=42, ge=0, le=4294967295, description="Seed of the rows' order.")
    per_device_train_batch_size: int = Field(default=8, ge=1, le=4096, description="Sequences in a micro-batch.")
    per_device_eval_batch_size: int = Field(default=8, ge=1, le=4096, description="Sequences in an evaluation batch.")
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=4096, description="Micro-batches in an optimizer step."
    )
    gradient_checkpointing: bool | None = Field(
        default=None,
        description="Compute activations twice to save memory; unset: only where the pass would not fit without.",
    )
    learning_rate: float = Field(default=2e-4, gt=0, le=1, description="Peak learning rate.")
    lr_scheduler_type: Literal[
        "constant",
        "constant_with_warmup",
        "linear",
        "cosine",
        "cosine_with_restarts",
        "cosine_with_min_lr",
        "polynomial",
        "inverse_sqrt",
        "warmup_stable_decay",
    ] = Field(
        default="constant",
        description="Course of the learning rate; some take arguments: extra.lr_scheduler_kwargs.",
    )
    warmup_steps: int = Field(default=0, ge=0, le=1000000, description="Steps in which the learning rate rises from 0.")
    warmup_ratio: float = Field(
        default=0, ge=0, lt=1, description="The same as a share of all steps; instead of warmupSteps."
    )
    optim: Literal[
        "adamw_torch",
        "adamw_torch_fused",
        "adamw_bnb_8bit",
        "paged_adamw_32bit",
        "paged_adamw_8bit",
        "lion_32bit",
        "lion_8bit",
        "paged_lion_32bit",
        "paged_lion_8bit",
        "adafactor",
        "adagrad",
        "rmsprop",
        "sgd",
    ] = Field(
        default="adamw_torch",
        description="Optimizer. adamw_torch is the fused one on an accelerator; the paged, 8-bit and lion ones are"
        " bitsandbytes' and need an accelerator.",
    )
    num_train_epochs: float = Field(
        default=3, gt=0, le=1000, description="Passes over the data; maxSteps overrides it."
    )
    max_steps: int = Field(default=-1, ge=-1, le=10000000, description="Optimizer steps; -1: by numTrainEpochs.")
    weight_decay: float = Field(default=0, ge=0, le=1, description="Decoupled weight decay.")
    adam_beta1: float = Field(default=0.9, ge=0, lt=1, description="AdamW's beta1.")
    adam_beta2: float = Field(default=0.999, ge=0, lt=1, description="AdamW's beta2.")
    adam_epsilon: float = Field(default=1e-8, gt=0, le=1, description="AdamW's epsilon.")
    max_grad_norm: float = Field(default=1.0, ge=0, le=1000, description="Gradient clipping; 0: none.")
    group_by_length: bool = Field(
        default=True,
        description="Put sequences of like length side by side, so that little of a batch is padding; false: random order.",
    )
    logging_steps: int = Field(default=10, ge=1, le=1000000, description="Steps between two lines of the log.")
    report_to: list[Literal["mlflow", "wandb", "tensorboard"]] = Field(
        default_factory=empty_list,
        max_length=3,
        description="Trackers that are told what is logged; their addresses and credentials come from env of the system.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    eval_strategy: Literal["no", "steps", "epoch"] = Field(
        default="no",
        description="When the held-out rows are evaluated during training.",
    )
    eval_steps: int = Field(
        default=500, ge=1, le=10000000, description="Steps between evaluations with evalStrategy: steps."
    )
    load_best_model_at_end: bool = Field(
        default=False, description="Keep the adapter of the best evaluation instead of the last one."
    )
    early_stopping_patience: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Evaluations in a row, none better than the best, that end training; 0: none do.",
    )
    metric_for_best_model: Literal["loss", "tokenAccuracy", "exactMatch"] = Field(
        default="loss",
        description="What makes an evaluation the best: the lowest loss, or the highest share of tokens that are the model's"
        " first choice (tokenAccuracy) or of rows whose answer is so word for word (exactMatch).",
    )
    save_seconds: int = Field(
        default=600, ge=0, le=86400, description="Seconds between checkpoints in the store; 0: none by time."
    )
    save_steps: int = Field(default=0, ge=0, le=10000000, description="Steps between checkpoints; 0: none by steps.")
    save_total_limit: int = Field(
        default=2, ge=1, le=16, description="Checkpoints that are kept, until the pass is committed."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Type of the base's weights while training; auto: bfloat16 on an accelerator that has it, else float32.",
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto",
        description="How attention is computed while training; auto: sdpa (PyTorch's fused kernels) where the model has it, else"
        " eager. flash_attention_2 needs an accelerator, bfloat16 and the package flash-attn, which the runner image lacks.",
    )
    torch_compile: bool = Field(
        default=False,
        description="Compile the model's blocks with torch.compile: a minute or more at the start, then faster steps. Needs an"
        " accelerator, and a C compiler in the image, which the runner image lacks.",
    )
    extra: Annotated[dict[ArgumentName, ArgumentValue], Field(max_length=32)] = Field(
        default_factory=dict,
        description="Further arguments of transformers' TrainingArguments: their Python name to their value as YAML text, such"
        " as {neftune_noise_alpha: '5'}. Names that are unknown or would have no effect are refused.",
    )

    @classmethod
    def names(cls) -> dict[str, str]:
        """Python name of each field to its name in the manifest."""
        return {name: field.alias or name for name, field in cls.model_fields.items()}

    @property
    def needs_accelerator(self) -> bool:
        """Whether the optimizer does not run on a CPU."""
        return self.optim in BITSANDBYTES
