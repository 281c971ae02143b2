"""How long the parts of an optimizer step take. Pure, but for the clock it is given."""

import statistics
from collections import deque
from dataclasses import fields
from typing import Any, Literal, Protocol

from finetune_runner.passes.telemetry import StepSeconds

WINDOW = 100
"""Steps whose medians are told; the first ones, in which kernels are loaded, then count no more."""
Part = Literal["data", "forward", "backward", "optimizer"]
PARTS = tuple(field.name for field in fields(StepSeconds))


class Clock(Protocol):
    """Of the device that computes."""

    def mark(self) -> Any:
        """The moment at which the device comes to this place."""

    def seconds(self, since: Any, until: Any) -> float:
        """Between two marks; waits until the device has come to both."""


class StepTime:
    """Told where each part of a step ends; what lies between two steps (logging, evaluation) is no part of any."""

    def __init__(self, clock: Clock, window: int = WINDOW) -> None:
        """A watch.

        Args:
            clock: of the device.
            window: steps whose medians are told.
        """
        self._clock = clock
        self._marks: list[tuple[str, Any]] = []
        self._unread: list[tuple[str, Any]] = []
        self._steps: deque[dict[str, float]] = deque(maxlen=window)

    def begin(self) -> None:
        """A step begins, with the loading of its batches."""
        self._marks = [("", self._clock.mark())]

    def ended(self, part: Part) -> None:
        """All since the last mark was this part, of which a step may have several."""
        self._marks.append((part, self._clock.mark()))

    def end(self) -> None:
        """The step has ended, with its optimizer. The step before is read, so as not to wait for this one."""
        self.ended("optimizer")
        self.read()
        self._unread = self._marks

    def read(self) -> None:
        """Reads the latest step too, for which the device may have to catch up."""
        if not self._unread:
            return
        step = dict.fromkeys(PARTS, 0.0)
        for (_, since), (part, until) in zip(self._unread, self._unread[1:], strict=False):
            step[part] += self._clock.seconds(since, until)
        self._steps.append(step)
        self._unread = []

    @property
    def medians(self) -> StepSeconds | None:
        """Of each part over the latest steps that were read; None before the first."""
        if not self._steps:
            return None
        return StepSeconds(**{part: statistics.median(step[part] for step in self._steps) for part in PARTS})
