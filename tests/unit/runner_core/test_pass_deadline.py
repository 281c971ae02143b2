"""A pass's deadline ends it the way a request to stop does, and is told as what it is."""

import contextlib
import signal
import threading
from collections.abc import Callable

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.interruption import Interrupted, check, deferred
from finetune_runner.ending.pass_deadline import ended_after

FAILURE = FineTuneError(Reason.DEADLINE_EXCEEDED, "pass 'tune' was not done after 1 seconds")
AT_ONCE, LATER = 0.001, 600


pytestmark = pytest.mark.usefixtures("runner_signals")


def never_ends() -> None:
    threading.Event().wait()


def ends_when_asked_to(heard: list[bool]) -> None:
    with deferred(LATER) as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        while not stop.requested:
            signal.sigtimedwait([], 0.001)
        heard.append(stop.requested)


def is_asked_to_stop_and_takes_its_time() -> None:
    with deferred(LATER):
        signal.raise_signal(signal.SIGTERM)
        threading.Event().wait(0.1)


def is_swallowed() -> None:
    with contextlib.suppress(BaseException):
        never_ends()
    check()


def becomes_something_else(begin: Callable[[], None]) -> None:
    """As a library does that imports another, and takes whatever is raised for a module that is not there."""
    with contextlib.suppress(BaseException):
        begin()
    raise ModuleNotFoundError


def test_what_takes_too_long_is_ended_with_the_failure() -> None:
    with pytest.raises(FineTuneError) as caught, ended_after(AT_ONCE, FAILURE, grace_seconds=LATER):
        never_ends()
    assert caught.value is FAILURE


def test_what_is_done_in_time_goes_on_after_it() -> None:
    with ended_after(LATER, FAILURE, grace_seconds=LATER):
        done = True
    assert done


def test_training_hears_of_it_and_can_keep_a_checkpoint_first() -> None:
    heard = []
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until it listens, which may take longer than AT_ONCE
    with pytest.raises(FineTuneError), ended_after(AT_ONCE, FAILURE, grace_seconds=LATER):
        ends_when_asked_to(heard)
    assert heard == [True]


def test_a_request_from_outside_stays_one() -> None:
    with pytest.raises(Interrupted), ended_after(LATER, FAILURE, grace_seconds=LATER):
        signal.raise_signal(signal.SIGTERM)


def test_a_pod_that_is_asked_to_stop_already_is_not_told_to_be_late() -> None:
    with pytest.raises(Interrupted), ended_after(0.05, FAILURE, grace_seconds=LATER):
        is_asked_to_stop_and_takes_its_time()


def test_one_that_a_library_swallowed_is_the_same_failure_later() -> None:
    with pytest.raises(FineTuneError), ended_after(AT_ONCE, FAILURE, grace_seconds=LATER):
        is_swallowed()


def test_what_a_library_made_of_it_is_the_same_failure() -> None:
    with pytest.raises(FineTuneError) as caught, ended_after(AT_ONCE, FAILURE, grace_seconds=LATER):
        becomes_something_else(never_ends)
    assert caught.value is FAILURE


def test_what_a_library_makes_of_a_request_from_outside_is_that_request_where_there_is_no_deadline() -> None:
    with pytest.raises(Interrupted), ended_after(None, FAILURE, grace_seconds=LATER):
        becomes_something_else(lambda: signal.raise_signal(signal.SIGTERM))
