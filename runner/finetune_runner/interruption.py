"""SIGTERM, as an exception in the main thread, so that everything unwinds in order."""

import signal
from types import FrameType


class Interrupted(BaseException):
    """The pod was asked to stop. No Exception: nothing that handles failures may go on after it."""


def raise_on_sigterm() -> None:
    """Makes the first SIGTERM raise Interrupted; further ones are ignored, so that the last word gets written."""
    signal.signal(signal.SIGTERM, _interrupt)


def ignore_sigterm() -> None:
    """For the moment in which the last word is written: the process ends at once anyway."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    ignore_sigterm()
    raise Interrupted
