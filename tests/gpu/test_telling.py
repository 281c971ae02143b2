"""What a pass tells of its steps and its memory is what the device did."""

import gc
import time

import pytest
import torch

from finetune_runner.training.device_peaks import peak_flops
from passes import Reported, data_set, lora, tune
from random_decoder import random_rows

GIBIBYTE = 2**30
PARTS = ("dataSeconds", "forwardSeconds", "backwardSeconds", "optimizerSeconds")


class Stamped(Reported):
    """A report that knows when it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []

    def __call__(self, **said) -> None:
        super().__call__(**said)
        torch.cuda.synchronize()
        self.moments.append(time.monotonic())


def test_a_steps_parts_add_up_to_what_a_step_takes_and_the_peak_is_the_allocators(small_llama, tmp_path):
    rows = data_set(random_rows([300] * 64), textTemplate="{text}", maxSeqLen=256, loss="all")
    report = Stamped()
    gc.collect()

    config = lora(training={"perDeviceTrainBatchSize": 16, "maxSteps": 12, "loggingSteps": 100})
    metrics = tune(small_llama, tmp_path / "adapter", config, train=rows, report=report, accelerator=True).metrics

    steps = sorted(after - before for before, after in zip(report.moments, report.moments[1:], strict=False))
    assert sum(float(metrics[part]) for part in PARTS) == pytest.approx(steps[len(steps) // 2], rel=0.25)
    peak = torch.cuda.max_memory_allocated() / GIBIBYTE
    assert float(metrics["peakMemoryGiB"]) == pytest.approx(peak, abs=0.01)
    assert float(metrics["reservedMemoryGiB"]) >= float(metrics["peakMemoryGiB"])


def test_utilisation_is_told_where_the_devices_peak_is_known(small_llama, tmp_path):
    rows = data_set(random_rows([600] * 128), textTemplate="{text}", maxSeqLen=512, loss="all")
    config = lora(training={"perDeviceTrainBatchSize": 32, "maxSteps": 4})

    metrics = tune(small_llama, tmp_path / "adapter", config, train=rows, accelerator=True).metrics

    if peak_flops(torch.cuda.get_device_name()) is None:
        assert "mfuPercent" not in metrics
    else:
        assert 0 < float(metrics["mfuPercent"]) < 100
