"""The most memory that was held."""

import resource
import sys

import torch

from finetune_runner.passes.telemetry import PeakMemory

RUSAGE_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of ru_maxrss's unit: https://man7.org/linux/man-pages/man2/getrusage.2.html; macOS has bytes."""


def measure_from_here(device: str) -> None:
    """What the accelerator held before counts no more. A process's own memory is told since it began."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> PeakMemory:
    """What device (cpu or cuda) and host have held at most."""
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT
    if device != "cuda":
        return PeakMemory(host=host)
    return PeakMemory(
        host=host, accelerator=torch.cuda.max_memory_allocated(), reserved=torch.cuda.max_memory_reserved()
    )
