"""What tests of the runner's core share."""

import signal
from collections.abc import Iterator

import pytest

from finetune_runner.ending.interruption import raise_on_sigterm


@pytest.fixture
def runner_signals() -> Iterator[None]:
    """The runner's handlers for the length of a test."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    raise_on_sigterm()
    yield
    raise_on_sigterm()
    for number, handler in before.items():
        signal.signal(number, handler)
