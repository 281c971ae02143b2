"""A request to stop gets through, whatever happens to the exception that it is."""

import contextlib
import signal

import pytest

from finetune_runner.ending.interruption import Interrupted, check, deferred, resurfacing

pytestmark = pytest.mark.usefixtures("runner_signals")


def swallowed() -> None:
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)


def made_something_else_of_it() -> None:
    """As transformers does where an import is cut short."""
    swallowed()
    raise ModuleNotFoundError


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


def test_what_a_library_made_of_it_is_it_again() -> None:
    with pytest.raises(Interrupted) as caught, resurfacing():
        made_something_else_of_it()
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_failure_before_it_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError), resurfacing():
        raise ModuleNotFoundError
