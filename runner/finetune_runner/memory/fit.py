"""Whether a job's tuning passes fit their systems, as far as that is known before a pod asks for an accelerator."""

import json
import logging
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import system_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, Pass, QLora
from finetune_api.resource.systems import System, amount
from finetune_runner.memory.estimate import (
    BFLOAT16_ON_CPU,
    FLOAT32_ON_ACCELERATOR,
    ON_ACCELERATOR,
    ON_CPU,
    Batch,
    Estimate,
    Values,
    estimate,
)
from finetune_runner.memory.shapes import Shapes

log = logging.getLogger(__name__)

GPU_MEMORY_LABEL = "nvidia.com/gpu.memory"
"""MiB of one GPU, set by NVIDIA's GPU feature discovery: https://github.com/NVIDIA/k8s-device-plugin"""
MODELLED = (Lora, QLora)
"""The passes whose tensors are counted; DoRA, LoftQ, LoHa and LoKr hold others too."""
MEMORY_FIGURE = "memoryAtMostGiB"
"""A pass's estimate, among its figures."""
GIBIBYTE = 2**30
MEBIBYTE = 2**20


def read_shapes(folder: Path) -> Shapes | None:
    """The base model's shapes; None where there is no config.json or it describes an unknown architecture."""
    config = folder / "config.json"
    return Shapes.read(json.loads(config.read_bytes())) if config.exists() else None


def estimates(spec: FineTuneJobSpec, shapes: Shapes) -> dict[str, Estimate]:
    """Of each lora and qlora pass, with all sequences as long as maxSeqLen and every token counting."""
    found = {}
    for step in spec.passes:
        if isinstance(step.config, Lora) and type(step.config) in MODELLED:
            system = _system_of(spec, step)
            found[step.name] = estimate(shapes, step.config, _largest(spec, step.config), _values(step.config, system))
            log.info("pass %s takes at most %s", step.name, _in_words(found[step.name]))
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
            path=f"spec.passes[{index}].{step.path_name}",
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


def _largest(spec: FineTuneJobSpec, config: Lora) -> Batch:
    data = next(data for data in spec.data_configs if data.name == config.train_data)
    tokens = config.training.per_device_train_batch_size * data.preprocess.max_seq_len
    return Batch(tokens=tokens, counted=tokens)


def _values(config: Lora, system: System) -> Values:
    if system.accelerator is None:
        return BFLOAT16_ON_CPU if config.training.dtype == "bfloat16" else ON_CPU
    return FLOAT32_ON_ACCELERATOR if config.training.dtype == "float32" else ON_ACCELERATOR


def _memory(system: System) -> int | None:
    """Bytes of one accelerator of the system, if the spec says so."""
    if system.accelerator is None:
        return None
    if system.accelerator.memory:
        return int(amount(system.accelerator.memory))
    label = system.node_selector.get(GPU_MEMORY_LABEL, "")
    return int(label) * MEBIBYTE if label.isdecimal() else None


def _in_words(most: Estimate) -> str:
    parts = {
        "weights": most.weights,
        "adapter with optimizer": most.adapter,
        "activations": most.activations,
        "logits": most.logits,
    }
    listed = ", ".join(f"{name} {in_gibibytes(size)}" for name, size in parts.items())
    return f"{in_gibibytes(most.total)} GiB of memory ({listed})"
