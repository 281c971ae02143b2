"""Whether a job's tuning passes fit their systems, as far as that is known before a pod asks for an accelerator."""

import json
import logging
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import system_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass, Tuning
from finetune_api.resource.systems import System, amount
from finetune_runner.memory.batches import MASK_BYTES
from finetune_runner.memory.choice import Choice, chosen
from finetune_runner.memory.estimate import Batch, Estimate
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import Values, values_for

log = logging.getLogger(__name__)

GPU_MEMORY_LABEL = "nvidia.com/gpu.memory"
"""MiB of one GPU, set by NVIDIA's GPU feature discovery: https://github.com/NVIDIA/k8s-device-plugin"""
MEMORY_FIGURE = "memoryAtMostGiB"
"""A pass's estimate, among its figures."""
GIBIBYTE = 2**30
MEBIBYTE = 2**20


def read_shapes(folder: Path) -> Shapes | None:
    """The base model's shapes; None where there is no config.json or it describes an unknown architecture."""
    config = folder / "config.json"
    return Shapes.read(json.loads(config.read_bytes())) if config.exists() else None


def estimates(spec: FineTuneJobSpec, shapes: Shapes) -> dict[str, Estimate]:
    """Of each tuning pass, with all sequences as long as maxSeqLen and every token counting.

    Gradient checkpointing and micro-batch are those the pass would choose for such rows, where the spec says how much
    memory its accelerator has.
    """
    found = {}
    for step in spec.passes:
        if isinstance(step.config, Tuning):
            choice = _choice(spec, step, step.config, shapes)
            found[step.name] = choice.predicted
            way = "with" if choice.checkpointing else "without"
            log.info("pass %s takes at most %s, %s checkpointing", step.name, in_words(choice.predicted), way)
    return found


def check(spec: FineTuneJobSpec, index: int, *, least: int, most: int) -> None:
    """That a pass fits an accelerator of its system, if the spec says how much memory that has.

    Args:
        spec: of the job.
        index: of the pass.
        least: bytes that no smaller micro-batch lessens.
        most: bytes at the peak.

    Raises:
        FineTuneError: OutOfAcceleratorMemory, not even the least fits.
    """
    step = spec.passes[index]
    system = _system_of(spec, step)
    there = _memory(system)
    if there is None or most <= there:
        return
    if least > there:
        raise FineTuneError(
            Reason.OUT_OF_ACCELERATOR_MEMORY,
            f"weights and adapter alone take {in_gibibytes(least)} GiB, and an accelerator of system"
            f" {system.name!r} has {in_gibibytes(there)} GiB",
            remedy="Use a qlora pass, a smaller model, or a system whose accelerator has more memory.",
            path=f"spec.passes[{index}].{step.variant_alias}",
        )
    log.warning(
        "an accelerator of system %r has %s GiB: where the largest micro-batch does not fit, it is halved",
        system.name,
        in_gibibytes(there),
    )


def in_gibibytes(size: int) -> str:
    return f"{size / GIBIBYTE:.2f}"


def _system_of(spec: FineTuneJobSpec, step: Pass) -> System:
    name = system_name(spec, step)
    return next(system for system in spec.systems if system.name == name)


def _choice(spec: FineTuneJobSpec, step: Pass, config: Tuning, shapes: Shapes) -> Choice:
    system = _system_of(spec, step)
    data = next(data for data in spec.data_configs if data.name == config.train_data)
    length, packed, values = data.preprocess.max_seq_len, data.preprocess.strategy == "packing", _values(config, system)
    unmasked_is_more = shapes.keys < shapes.queries and not values.fused_for_grouped_heads

    def whole(size: int) -> Batch:
        """Of rows that are not all of one length there is a mask, and so of packed ones."""
        masked = packed or (size > 1 and not unmasked_is_more)
        mask = MASK_BYTES * size * length**2 if masked else 0
        return Batch(size * length, size * length, masked=mask, longest=length)

    return chosen(shapes, config, whole, values, _memory(system))


def _values(config: Tuning, system: System) -> Values:
    dtype, accelerator = config.training.dtype, system.accelerator is not None
    return values_for(accelerator=accelerator, bfloat16=dtype == "bfloat16" or (dtype == "auto" and accelerator))


def _memory(system: System) -> int | None:
    """Bytes of one accelerator of the system, if the spec says so."""
    if system.accelerator is None:
        return None
    if system.accelerator.memory:
        return int(amount(system.accelerator.memory))
    label = system.node_selector.get(GPU_MEMORY_LABEL, "")
    return int(label) * MEBIBYTE if label.isdecimal() else None


def in_words(most: Estimate) -> str:
    """The sum and its parts, for people."""
    parts = {
        "weights": most.weights,
        "adapter with optimizer": most.adapter,
        "activations": most.activations,
        "logits": most.logits,
    }
    listed = ", ".join(f"{name} {in_gibibytes(size)}" for name, size in parts.items())
    return f"{in_gibibytes(most.total)} GiB of memory ({listed})"
