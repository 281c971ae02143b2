"""Which of transformers' TrainingArguments may stand under training.extra, and why the others may not. Pure.

Kept here since validation runs without transformers; a test compares it with the installed version.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

FURTHER: dict[str, tuple[type, ...]] = {
    "dataloader_drop_last": (bool,),
    "dataloader_num_workers": (int,),
    "dataloader_persistent_workers": (bool,),
    "dataloader_prefetch_factor": (int,),
    "eval_delay": (int, float),
    "eval_on_start": (bool,),
    "full_determinism": (bool,),
    "include_num_input_tokens_seen": (bool, str),
    "logging_first_step": (bool,),
    "logging_strategy": (str,),
    "lr_scheduler_kwargs": (dict,),
    "neftune_noise_alpha": (int, float),
    "optim_args": (str,),
    "tf32": (bool,),
    "torch_empty_cache_steps": (int,),
}
"""Arguments that may be given, and the types their YAML may have."""

_SAVING = "an output is committed once, by the store, when its pass has ended"
_LOSS = "the loss and its evaluation are the runner's own, which do not read it"
_DEVICE = "the system and training.dtype decide it"
_ONE_PROCESS = "a pass trains in one process"
_REPORTS = "progress and logs are the runner's own"
_PLACE = "the runner decides it"
_COMPILED = "training.torchCompile compiles the model's blocks alone"
_REPLACED = "the loss needs the model's own output head, which a replaced model does not call"

_REFUSED: dict[str, str] = {
    "auto_find_batch_size accelerator_config do_train do_eval do_predict output_dir label_names use_cache": _PLACE,
    "remove_unused_columns resume_from_checkpoint ignore_data_skip skip_memory_metrics debug": _PLACE,
    "restore_callback_states_from_checkpoint length_column_name dataloader_in_order": _PLACE,
    "dataloader_multiprocessing_context dataloader_pin_memory optim_target_modules": _PLACE,
    "logging_nan_inf_filter log_on_each_node log_level log_level_replica disable_tqdm": _REPORTS,
    "run_name": "a tracker's run is named after job and pass",
    "project trackio_space_id trackio_bucket_id trackio_static_space_id": _REPORTS,
    "save_only_model save_strategy save_on_each_node enable_jit_checkpoint": _SAVING,
    "push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision": _SAVING,
    "greater_is_better": "training.metricForBestModel decides it",
    "label_smoothing_factor prediction_loss_only eval_do_concat_batches eval_use_gather_object": _LOSS,
    "eval_accumulation_steps include_for_metrics batch_eval_metrics": _LOSS,
    "bf16 fp16 bf16_full_eval fp16_full_eval use_cpu": _DEVICE,
    "torch_compile_backend torch_compile_mode": _COMPILED,
    "use_liger_kernel liger_kernel_config": _REPLACED,
    "average_tokens_across_devices parallelism_config ddp_find_unused_parameters ddp_bucket_cap_mb": _ONE_PROCESS,
    "ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout": _ONE_PROCESS,
    "fsdp fsdp_config deepspeed local_rank": _ONE_PROCESS,
    "activation_checkpointing activation_checkpointing_kwargs": "training.gradientCheckpointing decides it",
    "gradient_checkpointing_kwargs": "training.gradientCheckpointing decides it",
    "train_sampling_strategy": "training.groupByLength decides it",
}
REFUSED: dict[str, str] = {name: why for names, why in _REFUSED.items() for name in names.split()}
"""Arguments that would do nothing or harm here, and why."""


@dataclass(frozen=True)
class Refusal:
    name: str
    message: str
    remedy: str


def refusals(extra: Mapping[str, str], typed: Mapping[str, str]) -> Iterator[Refusal]:
    """What is wrong with training.extra.

    Args:
        extra: transformers' name of an argument to its value as YAML.
        typed: the Python name of each field of training to its name in the manifest.
    """
    for name, text in extra.items():
        if name in typed:
            yield Refusal(name, "is a field of its own", f"set training.{typed[name]}")
        elif name in REFUSED:
            yield Refusal(name, f"would have no effect: {REFUSED[name]}", "leave it out")
        elif name not in FURTHER:
            near = difflib.get_close_matches(name, [*FURTHER, *typed], n=1)
            remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(FURTHER)}"
            yield Refusal(name, "transformers' TrainingArguments have no such argument", remedy)
        elif not _fits(name, text):
            wanted = " or ".join(kind.__name__ for kind in FURTHER[name])
            yield Refusal(name, f"{text!r} is not the YAML of a value it can have", f"write a {wanted}")


def parsed(extra: Mapping[str, str]) -> dict[str, Any]:
    """The arguments with their values read as YAML.

    Raises:
        yaml.YAMLError: a value is not YAML; validate first.
    """
    return {name: _value(name, text) for name, text in extra.items()}


def _value(name: str, text: str) -> Any:
    """Where only text is wanted, it is text: `no` would else be a boolean."""
    value = yaml.safe_load(text)
    return text if str in FURTHER[name] and not isinstance(value, str) and bool not in FURTHER[name] else value


def _fits(name: str, text: str) -> bool:
    try:
        value = _value(name, text)
    except yaml.YAMLError:
        return False
    kinds = FURTHER[name]
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
