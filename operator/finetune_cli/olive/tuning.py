"""LoRA and its kin → tuning passes. Pure."""

import re
from typing import Any

from finetune_cli.olive.context import Context
from finetune_cli.olive.data import data_config
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced
from finetune_cli.olive.training import training

KINDS = ("lora", "qlora", "dora", "loftq", "loha", "lokr")
FOUR_BIT = ("qlora", "loftq")
LYCORIS = ("loha", "lokr")
DTYPES = {"float32": "float32", "bfloat16": "bfloat16", "fp32": "float32", "bf16": "bfloat16"}
PAGED = "paged_adamw_32bit"
ALL_LINEAR = "all-linear"
PLAIN_NAME = re.compile(r"[\w.]+", re.ASCII)
OLIVES_DTYPE = "bfloat16"
DECIDED = ("the runner decides where a model's layers lie", LEAVE_OUT)

NOT_CARRIED: dict[str, tuple[str, str]] = {
    "device_map": DECIDED,
    "ephemeral_gpu_offload": DECIDED,
    "allow_tf32": ("TF32 is used where the GPU has it", "set tf32: false in training_args to turn it off"),
    "use_ort_trainer": ("the runner trains with PyTorch", LEAVE_OUT),
    "ortmodule_onnx_opset_version": ("the runner trains with PyTorch", LEAVE_OUT),
    "compute_dtype": ("4-bit layers compute in training.dtype", "set torch_dtype"),
    "training_output_dir": ("checkpoints are kept in the store", LEAVE_OUT),
    "save_quant_config": ("an adapter belongs to the full-precision base", LEAVE_OUT),
    "use_effective_conv2d": ("causal language models have no such layers", LEAVE_OUT),
    "optimize_model": ("the runner trains with PyTorch", LEAVE_OUT),
    "user_script": ("code of the config is not run", LEAVE_OUT),
    "script_dir": ("code of the config is not run", LEAVE_OUT),
}


def tuning(kind: str, section: Section, data: list[Draft], context: Context) -> tuple[str, Draft]:
    """The pass's name in the manifest, and its fields.

    Args:
        kind: of KINDS.
        section: its config.
        data: data configs; what is written in place is added.
        context: of the import.
    """
    double = section.flag("double_quant")
    if kind == "lora" and double and double.value:
        context.ledger.note(double.steps, "a LoRA with double_quant is a QLoRA: the pass is qlora")
        kind = "qlora"
    elif kind != "qlora" and double:
        context.ledger.not_carried(double.steps, f"{kind} has no such option", "use QLoRA for 4-bit weights")
    arguments = training(section.part("training_args"), context)
    arguments["dtype"] = _dtype(section, context)
    if kind in FOUR_BIT and arguments["optim"] is None:
        arguments["optim"] = PAGED
    draft: Draft = {
        "r": section.number("r", "lora_r"),
        "alpha": section.number("alpha", "lora_alpha"),
        "targetModules": _targets(section, context),
        "modulesToSave": section.texts("modules_to_save"),
        "trainData": _reference(section, "train_data_config", data, context),
        **_held_out(section, data, arguments, context),
        **_own(kind, section, double, context),
        "training": arguments,
    }
    bias = section.take("bias")
    if bias and bias.value != "none":
        context.ledger.not_carried(bias.steps, "biases are not trained", LEAVE_OUT)
    said = _same_dtype(section)
    section.refuse({name: why for name, why in NOT_CARRIED.items() if name not in said})
    return kind, draft


def _targets(section: Section, context: Context) -> Sourced | None:
    """Layers by name. None stands for all linear ones, which peft calls all-linear."""
    given = section.take("target_modules")
    if given is None or not isinstance(given.value, str):
        return given
    if PLAIN_NAME.fullmatch(given.value):
        return Sourced([given.value], given.steps)
    if given.value != ALL_LINEAR:
        message = "layers are named, not found by an expression: all linear ones are tuned"
        context.ledger.not_carried(given.steps, message, "list their names")
    return None


def _own(kind: str, section: Section, double: Sourced | None, context: Context) -> Draft:
    """What only some kinds have."""
    if kind in LYCORIS:
        section.refuse({"lora_dropout": (f"peft's {kind} has no such dropout", "use rank_dropout")})
        return _lycoris(kind, section, context)
    own: Draft = {"dropout": section.number("lora_dropout"), "useRslora": section.take("use_rslora")}
    if kind == "qlora":
        own |= {"quantType": section.take("quant_type"), "doubleQuant": double}
    if kind == "loftq":
        own |= {"loftqIter": section.number("loftq_iter")}
    return own


def _lycoris(kind: str, section: Section, context: Context) -> Draft:
    pattern = section.texts("layers_pattern")
    if pattern and isinstance(pattern.value, list) and len(pattern.value) == 1:
        pattern = Sourced(pattern.value[0], pattern.steps)
    elif pattern:
        context.ledger.not_carried(pattern.steps, "one pattern can be given", "write the pattern that the model has")
        pattern = None
    own: Draft = {
        "rankDropout": section.number("rank_dropout"),
        "moduleDropout": section.number("module_dropout"),
        "excludeModules": section.texts("exclude_modules"),
        "initWeights": section.take("init_weights"),
        "layersToTransform": section.take("layers_to_transform"),
        "layersPattern": pattern,
        "rankPattern": section.take("rank_pattern"),
        "alphaPattern": section.take("alpha_pattern"),
    }
    if kind == "lokr":
        own |= {
            "decomposeBoth": section.take("decompose_both"),
            "decomposeFactor": section.number("decompose_factor"),
            "rankDropoutScale": section.take("rank_dropout_scale"),
        }
    return own


def _dtype(section: Section, context: Context) -> Sourced | None:
    given = section.text("torch_dtype")
    if given is None:
        return None
    name = given.value.removeprefix("torch.")
    if name in DTYPES:
        return Sourced(DTYPES[name], given.steps)
    message = f"weights are not trained in {name}"
    context.ledger.not_carried(
        given.steps, message, "auto is used: bfloat16 on an accelerator that has it, else float32"
    )
    return None


def _same_dtype(section: Section) -> set[str]:
    """4-bit layers compute in the type of training, which Olive says twice."""
    whole, given = section.peek("torch_dtype"), section.peek("compute_dtype")
    if given and given.value == (whole.value if whole else OLIVES_DTYPE):
        section.take("compute_dtype")
        return {"compute_dtype"}
    return set()


def _reference(section: Section, name: str, data: list[Draft], context: Context) -> Sourced | None:
    """A data config by name, or one that is written in place."""
    given = section.peek(name)
    if given is None:
        return None
    if isinstance(given.value, dict):
        written = data_config(Section.of(context.ledger, given), context, instead=name.partition("_")[0])
        data.append(written)
        return Sourced(written["name"], given.steps)
    section.take(name)
    return Sourced(context.data_names.known(str(given.value)) or given.value, given.steps)


def _held_out(section: Section, data: list[Draft], arguments: Draft, context: Context) -> Draft:
    """Rows held out, and when they are evaluated: Olive does so whenever there are some."""
    evaluated = _reference(section, "eval_data_config", data, context)
    size = section.number("eval_dataset_size")
    size = size if size and size.value != 0 else None
    strategy = arguments["evalStrategy"]
    if rows := evaluated or size:
        _evaluate(arguments, rows)
    elif strategy and strategy.value != "no":
        message = "there are no held-out rows"
        context.ledger.not_carried(strategy.steps, message, "set eval_data_config or eval_dataset_size")
        arguments["evalStrategy"] = None
    field = "evalRows" if size and _is_count(size.value) else "evalFraction"
    return {"evalData": evaluated, "evalFraction": None, "evalRows": None} | ({} if evaluated else {field: size})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 1


def _evaluate(arguments: Draft, rows: Sourced) -> None:
    """Says when; without the rows it goes too."""
    strategy = arguments["evalStrategy"]
    if strategy is None or strategy.value in (None, "no"):
        arguments["evalStrategy"] = Sourced("steps", rows.steps)
    if arguments["evalSteps"] is None and arguments["loggingSteps"] is not None:
        arguments["evalSteps"] = arguments["loggingSteps"]
