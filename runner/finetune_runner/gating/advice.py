"""What usually helps where a gate is missed, by what was measured and of what. Pure."""

from finetune_api.export_options import ROUNDED
from finetune_api.gates import measurements
from finetune_api.resource.exports import Export, ModelBuilder
from finetune_api.resource.gates import Gate
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass

FINER = {
    "default": "k_quant",
    "rtn": "k_quant",
    "rtn_last": "k_quant_mixed",
    "k_quant": "k_quant_last (the head in 8 bits) or k_quant_mixed",
    "k_quant_last": "k_quant_mixed",
}
"""Algorithm of an export to int4, to the one that loses less."""
FINER_BY_ROWS = {"k_quant": "gptq (with calibrationData) or k_quant_mixed"}
"""Where rows can be looked at, which is in modelBuilder."""
FINER_INT8 = dict.fromkeys(("default", "rtn", "rtn_last"), "k_quant")
"""Of an export to int8: more bits for some layers are no gain there."""
TRAIN_MORE = "Train longer (numTrainEpochs, maxSteps), on more rows, or with a larger r."
AS_SEEN = "Merge {} with mergeBase: auto or dequantised: a qlora adapter makes up for its base's rounding."
SIZE = "size_bytes"
FIRST = "time_to_first_token"
SPEED = (FIRST, "tokens_per_second")
PRUNED = "prune_lm_head"
"""The builder's option for a graph that tells what follows a prompt, and not what follows each token in it."""


def advice(spec: FineTuneJobSpec, gate: Gate) -> str:
    """What to change so that the gate is passed; a sentence or two of at most 200 bytes."""
    step = next(step for step in spec.passes if step.name == gate.after)
    metric = measurements(spec, gate.metric, gate.after)[0].metric
    kind = metric.variant
    if kind == SIZE:
        return _smaller(step)
    if kind in SPEED:
        return _faster(step, kind)
    compared = bool(gate.compared_to) or metric.config.needs_reference
    if isinstance(step.config, Export) and step.config.precision in ROUNDED:
        finer = _finer(step.name, step.config)
        return finer if compared else f"{finer} {TRAIN_MORE}"
    return AS_SEEN.format(step.name) if compared and step.merge_adapter_weights else TRAIN_MORE


def _smaller(step: Pass) -> str:
    if not isinstance(step.config, Export):
        return "Lower r, or take a smaller base."
    if step.config.precision != "int4":
        return f"Export {step.name} with precision: int4."
    return f"Export {step.name} with a larger blockSize, or take a smaller base."


def _faster(step: Pass, kind: str) -> str:
    more = "Measure it on a system with more CPUs or an accelerator, as its users have."
    if not isinstance(step.config, Export) or step.config.precision != "int4":
        return f"Measure an export with precision: int4. {more}"
    if kind == FIRST and PRUNED not in step.config.extra_options:
        return f'Export {step.name} with extraOptions: {{{PRUNED}: "true"}}: no logits but of a prompt\'s end.'
    return more


def _finer(name: str, config: Export) -> str:
    """How to round with less loss."""
    by_rows = FINER_BY_ROWS if isinstance(config, ModelBuilder) else {}
    finer = FINER | by_rows if config.precision == "int4" else FINER_INT8
    if config.algorithm in finer:
        return f"Round {name} with algorithm: {finer[config.algorithm]}."
    if config.precision == "int4":
        return f"Round {name} with blockSize: 16, or with precision: int8."
    return f"Round {name} with blockSize: 16, or not at all."
