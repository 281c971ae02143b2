"""The clocks of devices.

A GPU works through a queue, so that the time between two calls on the host tells when work was queued, not when it was
done. There events go into the same queue; what reads them after they have passed waits for nothing.
https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
"""

import time

import torch

from finetune_runner.training.step_time import Clock


class HostClock:
    """Of a CPU, which has done a call's work when the call returns."""

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, since: float, until: float) -> float:
        return until - since


class CudaClock:
    """Of the current CUDA device and stream."""

    def mark(self) -> torch.cuda.Event:
        event: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, since: torch.cuda.Event, until: torch.cuda.Event) -> float:
        until.synchronize()
        return float(since.elapsed_time(until)) / 1000


def clock_of(device: str) -> Clock:
    """The clock of cpu or cuda."""
    return CudaClock() if device == "cuda" else HostClock()
