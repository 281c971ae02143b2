"""training_args → training of a tuning pass. Pure."""

import json

from finetune_api.resource.training import Training
from finetune_api.training_arguments import FURTHER, REFUSED
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced
from finetune_cli.olive.trackers import NAME as TRACKERS
from finetune_cli.olive.trackers import report_to

OTHER_NAMES = {"eval_strategy": ("evaluation_strategy",), "learning_rate": ("lr",)}
"""transformers' name to older ones."""
OFF = (
    "activation_checkpointing auto_find_batch_size batch_eval_metrics bf16 bf16_full_eval ddp_find_unused_parameters"
    " deepspeed disable_tqdm do_eval do_predict do_train enable_jit_checkpoint eval_use_gather_object fp16"
    " fp16_full_eval fsdp hub_always_push hub_private_repo ignore_data_skip no_cuda overwrite_output_dir"
    " prediction_loss_only push_to_hub resume_from_checkpoint save_on_each_node save_only_model use_cpu"
    " use_liger_kernel use_module_with_loss"
)
AS_HERE: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(OFF.split(), (False,)),
    "metric_for_best_model": ("loss", "eval_loss"),
    "greater_is_better": (False,),
    "save_strategy": ("steps", "best", "no"),
}
"""Values that need no field: what is off is so in any case, the held-out loss decides what is best unless told, and
checkpoints are made by steps.
"""
NUMBERS = frozenset(
    name for name, field in Training.model_fields.items() if field.annotation in (int, float) and name != "extra"
)
OURS = ("extra", "dtype", "attn_implementation", "metric_for_best_model", TRACKERS)
"""Fields that are no arguments of transformers', or have other values there."""
PLACE = ("outputs are committed by the store", LEAVE_OUT)
DTYPE = ("training.dtype decides it", "set torch_dtype of the pass")

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "output_dir": PLACE,
    "overwrite_output_dir": PLACE,
    "resume_from_checkpoint": PLACE,
    "metric_for_best_model": ("Olive measures the loss only", "set training.metricForBestModel"),
    "deepspeed": ("a pass trains in one process", LEAVE_OUT),
    "use_module_with_loss": ("the runner trains with PyTorch", LEAVE_OUT),
    "fp16": DTYPE,
    "bf16": DTYPE,
    "dtype": DTYPE,
}


def training(section: Section, context: Context) -> Draft:
    """The arguments; where Olive's defaults differ from ours, its own are written."""
    section = section.flat("extra_args")
    named = {alias: _argument(section, name) for name, alias in Training.names().items() if name not in OURS}
    named[Training.names()[TRACKERS]] = report_to(section, context)
    extra = _further(section, context)
    _warmup(named)
    said = _saving(section, named) | _sampling(section, named, context)
    refused = NOT_CARRIED | {name: (why, LEAVE_OUT) for name, why in REFUSED.items()}
    section.refuse({name: reason for name, reason in refused.items() if name not in said})
    return {**_defaults(named), "extra": extra or None}


def _argument(section: Section, name: str) -> Sourced | None:
    names = (name, *OTHER_NAMES.get(name, ()))
    return section.number(*names) if name in NUMBERS else section.take(*names)


def _defaults(named: Draft) -> Draft:
    seed = named["seed"]
    olive: Draft = {"groupByLength": False}
    if seed and named["dataSeed"] is None:
        olive["dataSeed"] = Sourced(seed.value, seed.steps)
    return {**named, **{name: value for name, value in olive.items() if named[name] is None}}


def _saving(section: Section, named: Draft) -> set[str]:
    """The arguments that say what is so in any case (checkpoints by steps, the best by its loss), or in other words."""
    said = {name for name, values in AS_HERE.items() if (given := section.peek(name)) and given.value in values}
    for name in said:
        section.take(name)
    strategy = section.peek("save_strategy")
    if strategy and strategy.value == "no":
        named["saveSteps"] = named["saveSeconds"] = Sourced(0, strategy.steps)
    return said


def _sampling(section: Section, named: Draft, context: Context) -> set[str]:
    """Version 5 of transformers says by a word what group_by_length said."""
    name = "train_sampling_strategy"
    given = section.text(name)
    if given is None:
        return set()
    if given.value in ("group_by_length", "random"):
        named["groupByLength"] = Sourced(given.value == "group_by_length", given.steps)
    else:
        remedy = "use random or group_by_length"
        context.ledger.not_carried(given.steps, f"rows are not drawn in the way {given.value!r}", remedy)
    return {name}


def _warmup(named: Draft) -> None:
    """Version 5 of transformers takes a share of all steps under the name of the steps."""
    steps = named["warmupSteps"]
    if steps and isinstance(steps.value, float) and 0 < steps.value < 1:
        named["warmupSteps"], named["warmupRatio"] = None, named["warmupRatio"] or steps


def _further(section: Section, context: Context) -> Draft:
    found = {name: section.take(name) for name in section if name in FURTHER}
    for name in [name for name in found if name == "tf32"]:
        context.ledger.note(section.steps, f"{name} needs an accelerator of NVIDIA's Ampere generation or later")
    return {name: Sourced(_yaml(item.value), item.steps) for name, item in found.items() if item}


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
