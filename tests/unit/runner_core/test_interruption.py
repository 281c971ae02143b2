"""A request to stop gets through, whatever happens to the exception that it is."""

import contextlib
import signal

import pytest

from finetune_runner.ending.interruption import Interrupted, check, deferred

pytestmark = pytest.mark.usefixtures("runner_signals")


def swallowed() -> None:
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)


def test_one_that_a_library_swallowed_is_raised_at_the_next_look() -> None:
    check()
    swallowed()
    with pytest.raises(Interrupted):
        check()


def test_nothing_begins_after_it() -> None:
    swallowed()
    with pytest.raises(Interrupted), deferred(60):
        pytest.fail("training began")


def test_within_a_block_that_ends_by_itself_it_is_only_noted() -> None:
    noted = []
    with contextlib.suppress(Interrupted), deferred(60) as stop:
        signal.raise_signal(signal.SIGTERM)
        check()
        noted.append(stop.requested)
    assert noted == [True]
