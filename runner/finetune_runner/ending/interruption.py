"""A request to stop (SIGTERM, SIGINT), as an exception in the main thread, so that everything unwinds in order."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

log = logging.getLogger(__name__)


class Interrupted(BaseException):
    """The pod was asked to stop. No Exception: nothing that handles failures may go on after it."""


@dataclass
class Deferral:
    """A block that ends by itself when it is asked to stop."""

    seconds: float
    """Time it has for that."""
    requested: bool = False
    """Whether it was asked to."""


_deferral: Deferral | None = None
"""The block that runs now; signals belong to the process."""
_raised = False
"""Whether Interrupted has been raised, if perhaps where something swallowed it."""


def raise_on_sigterm(*others: signal.Signals) -> None:
    """Makes the first SIGTERM, or other such signal, raise Interrupted.

    Further ones are ignored, so that the last word gets written.
    """
    global _raised  # noqa: PLW0603
    _raised = False
    for number in (signal.SIGTERM, *others):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _raise)


def ignore_signals() -> None:
    """For the moment in which the last word is written: the process ends at once anyway."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def requested() -> bool:
    """Whether the process has been asked to stop."""
    return raised() or (_deferral is not None and _deferral.requested)


def raised() -> bool:
    """Whether Interrupted has been raised: what fails after it comes of it, if somebody swallowed it."""
    return _raised


def check() -> None:
    """That nobody has swallowed a request to stop: libraries catch all there is while they import one another.

    Raises:
        Interrupted: it was asked for.
    """
    if _raised:
        raise Interrupted


@contextmanager
def resurfacing() -> Iterator[None]:
    """Within it, whatever fails after a request to stop that somebody swallowed is that request again.

    Libraries catch all there is while they import one another, and raise what they take it for: that a module is not
    there.

    Raises:
        Interrupted: from the failure, which is one of the request.
    """
    try:
        yield
    except Exception as error:
        if raised():
            log.warning("asked to stop, which somebody swallowed; this came of it", exc_info=error)
            raise Interrupted from error
        raise


@contextmanager
def deferred(seconds: float) -> Iterator[Deferral]:
    """Notes a request to stop instead of raising it, so that the block can end at a moment of its choice.

    Args:
        seconds: how long it may take; then Interrupted is raised wherever it is.

    Raises:
        Interrupted: at the end of the block, if it was asked to stop and has not raised it; at its beginning, if that
            was asked for before.
    """
    global _deferral  # noqa: PLW0603
    check()
    _deferral = here = Deferral(seconds)
    try:
        yield here
    finally:
        _deferral = None
        if here.requested:
            signal.setitimer(signal.ITIMER_REAL, 0)
    if here.requested:
        raise Interrupted


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if _deferral is None:
        _raise(signum, frame)
    elif not _deferral.requested:
        _deferral.requested = True
        signal.setitimer(signal.ITIMER_REAL, _deferral.seconds)


def _raise(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    global _raised  # noqa: PLW0603
    _raised = True
    ignore_signals()
    raise Interrupted
