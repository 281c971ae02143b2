"""What usually helps where a gate is missed, by what was measured and of what. Pure."""

from finetune_api.export_options import ROUNDED
from finetune_api.gates import measurements
from finetune_api.resource.exports import Export
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
"""Algorithm of an export to the one that loses less."""
TRAIN_MORE = "Train longer (numTrainEpochs, maxSteps), on more rows, or with a larger r."
SIZE = "size_bytes"
SPEED = ("time_to_first_token", "tokens_per_second")


def advice(spec: FineTuneJobSpec, gate: Gate) -> str:
    """What to change so that the gate is passed; a sentence or two of at most 200 bytes."""
    step = next(step for step in spec.passes if step.name == gate.after)
    kind = measurements(spec, gate.metric, gate.after)[0].metric.variant
    if kind == SIZE:
        return _smaller(step)
    if kind in SPEED:
        return _faster(step)
    if not (isinstance(step.config, Export) and step.config.precision in ROUNDED):
        return TRAIN_MORE
    finer = _finer(step.name, step.config)
    return finer if gate.compared_to else f"{finer} {TRAIN_MORE}"


def _smaller(step: Pass) -> str:
    if not isinstance(step.config, Export):
        return "Lower r, or take a smaller base."
    if step.config.precision != "int4":
        return f"Export {step.name} with precision: int4."
    return f"Export {step.name} with a larger blockSize, or take a smaller base."


def _faster(step: Pass) -> str:
    more = "Measure it on a system with more CPUs or an accelerator, as its users have."
    exported = isinstance(step.config, Export) and step.config.precision == "int4"
    return more if exported else f"Measure an export with precision: int4. {more}"


def _finer(name: str, config: Export) -> str:
    """How to round with less loss."""
    if config.algorithm in FINER:
        return f"Round {name} with algorithm: {FINER[config.algorithm]}."
    if config.precision == "int4":
        return f"Round {name} with blockSize: 16, or with precision: int8."
    return f"Round {name} with blockSize: 16, or not at all."
