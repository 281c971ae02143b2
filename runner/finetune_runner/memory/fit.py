"""Whether a job's tuning passes fit their systems, as far as that is known before a pod asks for an accelerator."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import system_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora
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
GIBIBYTE = 2**30
MEBIBYTE = 2**20


def read_shapes(folder: Path) -> Shapes | None:
    """The base model's shapes; None where there is no config.json or it describes an unknown architecture."""
    config = folder / "config.json"
    return Shapes.read(json.loads(config.read_bytes())) if config.exists() else None


def estimates(spec: FineTuneJobSpec, shapes: Shapes) -> dict[str, Estimate]:
    """Of each tuning pass of the LoRA family, at most: all sequences as long as maxSeqLen, every token counting.

    Raises:
        FineTuneError: OutOfAcceleratorMemory, the smallest micro-batch can't fit.
    """
    found = {}
    for index, config, system in _lora_passes(spec):
        step = spec.passes[index]
        found[step.name] = most = estimate(shapes, config, _largest(spec, config), _values(config, system))
        log.info("pass %s takes at most %s", step.name, _in_words(most))
        _check(most, system, f"spec.passes[{index}].{step.path_name}")
    return found


def in_gibibytes(size: int) -> str:
    return f"{size / GIBIBYTE:.2f}"


def _lora_passes(spec: FineTuneJobSpec) -> Iterator[tuple[int, Lora, System]]:
    systems = {system.name: system for system in spec.systems}
    for index, step in enumerate(spec.passes):
        if isinstance(step.config, Lora):
            yield index, step.config, systems[system_name(spec, step)]


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


def _check(most: Estimate, system: System, path: str) -> None:
    there = _memory(system)
    if there is None or most.total <= there:
        return
    if most.fixed > there:
        raise FineTuneError(
            Reason.OUT_OF_ACCELERATOR_MEMORY,
            f"weights and adapter alone take {in_gibibytes(most.fixed)} GiB, and an accelerator of system"
            f" {system.name!r} has {in_gibibytes(there)} GiB",
            remedy="Use a qlora pass, a smaller model, or a system whose accelerator has more memory.",
            path=path,
        )
    log.warning(
        "an accelerator of system %r has %s GiB: where the largest micro-batch does not fit, it is halved",
        system.name,
        in_gibibytes(there),
    )


def _in_words(most: Estimate) -> str:
    parts = {
        "weights": most.weights,
        "adapter with optimizer": most.adapter,
        "activations": most.activations,
        "logits": most.logits,
    }
    listed = ", ".join(f"{name} {in_gibibytes(size)}" for name, size in parts.items())
    return f"{in_gibibytes(most.total)} GiB of memory ({listed})"
