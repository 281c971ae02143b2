"""A step that never ends is told from one that only takes long by what the steps before it took."""

import threading

import pytest

from finetune_runner.training import step_watch
from finetune_runner.training.step_watch import LEAST_SECONDS, UNKNOWN_SECONDS, StepWatch


class Hand:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def watch_after(*seconds: float) -> tuple[StepWatch, Hand]:
    """One that has seen steps of these lengths; a further one has begun."""
    clock = Hand()
    watch = StepWatch(lambda *_: None, clock)
    for length in seconds:
        watch.begin()
        clock.now += length
        watch.end()
    watch.begin()
    return watch, clock


def test_before_a_few_steps_are_known_one_has_an_hour():
    watch, clock = watch_after(1, 1, 1, 1)
    clock.now += UNKNOWN_SECONDS - 1
    assert not watch.overdue()
    clock.now += 1
    assert watch.overdue()


def test_quick_steps_leave_the_next_one_ten_minutes():
    watch, clock = watch_after(0.1, 0.1, 0.1, 0.1, 0.1)
    clock.now += LEAST_SECONDS - 1
    assert not watch.overdue()
    clock.now += 1
    assert watch.overdue()


def test_slow_steps_leave_it_twenty_times_the_median_and_a_first_slow_one_does_not_count():
    watch, clock = watch_after(900, 60, 60, 60, 60)
    clock.now += 20 * 60 - 1
    assert not watch.overdue()
    clock.now += 1
    assert watch.overdue()


def test_between_steps_nothing_is_overdue():
    watch, clock = watch_after(1, 1, 1, 1, 1)
    watch.end()
    clock.now += 1e6
    assert not watch.overdue()


def test_who_watches_says_so_once_with_what_it_took_and_may_take(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(step_watch, "LEAST_SECONDS", 0.05)
    said: list[tuple[float, float]] = []
    heard = threading.Event()
    watch = StepWatch(lambda seconds, limit: (said.append((seconds, limit)), heard.set()))
    watch.start()
    for _ in range(6):
        watch.begin()
        watch.end()
    watch.begin()
    assert heard.wait(10)
    ((seconds, limit),) = said
    assert seconds >= 0.05 == limit
