"""A step's parts are timed by the device's own clock, whatever its host does meanwhile."""

import time

import pytest
import torch

from finetune_runner.training.clocks import CudaClock
from finetune_runner.training.step_time import StepTime

PRODUCT = 8192
"""Side of square matrices whose product takes a device milliseconds and its host microseconds."""


@pytest.fixture
def factors():
    return [torch.randn(PRODUCT, PRODUCT, device="cuda", dtype=torch.bfloat16) for _ in range(2)]


def products(factors, count):
    for _ in range(count):
        torch.mm(*factors)


def test_work_that_is_queued_counts_where_the_device_does_it(factors):
    """The host passes the marks at once; the device does three times the work in the backward part."""
    products(factors, 3)
    torch.cuda.synchronize()
    watch = StepTime(CudaClock())
    began = time.perf_counter()
    watch.begin()
    watch.ended("data")
    products(factors, 20)
    watch.ended("forward")
    products(factors, 60)
    watch.ended("backward")
    watch.end()
    queued = time.perf_counter() - began
    watch.read()
    whole = time.perf_counter() - began

    told = watch.medians
    assert queued < whole / 2
    assert told.backward == pytest.approx(3 * told.forward, rel=0.3)
    assert told.forward + told.backward == pytest.approx(whole, rel=0.2)
    assert told.data < told.forward / 10


def test_a_device_that_waits_for_its_host_waits_for_data(factors):
    products(factors, 3)
    torch.cuda.synchronize()
    watch = StepTime(CudaClock())
    watch.begin()
    time.sleep(0.2)
    watch.ended("data")
    products(factors, 1)
    watch.ended("forward")
    watch.end()
    watch.read()
    assert watch.medians.data == pytest.approx(0.2, abs=0.05)
