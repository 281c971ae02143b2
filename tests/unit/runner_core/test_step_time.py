"""A step's time is told by its parts, as the device's own clock has it."""

import pytest

from finetune_runner.passes.telemetry import StepSeconds
from finetune_runner.training.step_time import StepTime


class Device:
    """Works through a queue of its own: a mark is known once the device has come to it."""

    def __init__(self):
        self.now = 0.0
        self.reached = 0.0
        self.waited = False

    def mark(self):
        return self.now

    def seconds(self, since, until):
        self.waited = self.waited or until > self.reached
        return until - since


def step(watch, device, *, data, pieces, optimizer):
    """A step whose forward and backward come in pieces."""
    watch.begin()
    for part, seconds in [("data", data), *pieces]:
        device.now += seconds
        watch.ended(part)
    device.now += optimizer
    watch.end()


@pytest.fixture
def device():
    return Device()


def test_before_the_first_step_is_read_nothing_is_told(device):
    watch = StepTime(device)
    assert watch.medians is None
    step(watch, device, data=1.0, pieces=[("forward", 2.0), ("backward", 4.0)], optimizer=0.5)
    assert watch.medians is None


def test_parts_that_come_several_times_in_a_step_add_up(device):
    watch = StepTime(device)
    pieces = [("forward", 2.0), ("backward", 4.0), ("forward", 3.0), ("backward", 5.0)]
    step(watch, device, data=1.0, pieces=pieces, optimizer=0.5)
    watch.read()
    assert watch.medians == StepSeconds(data=1.0, forward=5.0, backward=9.0, optimizer=0.5)


def test_what_lies_between_two_steps_is_no_part_of_any(device):
    watch = StepTime(device)
    for _ in range(2):
        step(watch, device, data=1.0, pieces=[("forward", 2.0), ("backward", 4.0)], optimizer=0.5)
        device.now += 600.0  # an evaluation
    watch.read()
    assert watch.medians == StepSeconds(data=1.0, forward=2.0, backward=4.0, optimizer=0.5)


def test_the_median_leaves_a_slow_first_step_out(device):
    watch = StepTime(device)
    for data in (90.0, 1.0, 3.0):
        step(watch, device, data=data, pieces=[("forward", 2.0), ("backward", 4.0)], optimizer=0.5)
    watch.read()
    assert watch.medians.data == 3.0


def test_only_the_latest_steps_count(device):
    watch = StepTime(device, window=2)
    for data in (9.0, 9.0, 1.0, 1.0):
        step(watch, device, data=data, pieces=[("forward", 2.0), ("backward", 4.0)], optimizer=0.5)
    watch.read()
    assert watch.medians.data == 1.0


def test_nothing_waits_for_a_device_that_is_less_than_a_step_behind(device):
    watch = StepTime(device)
    for _ in range(5):
        device.reached = device.now
        step(watch, device, data=1.0, pieces=[("forward", 2.0), ("backward", 4.0)], optimizer=0.5)
    assert watch.medians.forward == 2.0
    assert not device.waited
