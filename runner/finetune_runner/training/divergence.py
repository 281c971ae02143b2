"""Whether training has gone astray while its loss is still a number. Pure."""

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Any

WINDOW = 8
"""Steps that are looked at together: one hard batch is no divergence."""
RISE = 4.0
"""Nats a token above the start that are one: 55 times its perplexity, which no schedule or batch accounts for."""


@dataclass
class Divergence:
    """Compares the latest steps with the first ones.

    The start is the mean of the first steps, but no more than both the very first loss and that of a guess: a run that
    diverges at once would else be measured against itself.
    """

    guess: float
    """Loss of guessing among all tokens alike, in nats: the logarithm of the vocabulary's size."""
    first: list[float] = field(default_factory=list)
    """Losses of the first steps."""
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, loss: float) -> None:
        """A step's mean loss, in nats a token."""
        self.latest.append(loss)
        if len(self.first) < WINDOW:
            self.first.append(loss)

    @property
    def start(self) -> float:
        return min(statistics.fmean(self.first), max(self.first[0], self.guess))

    @property
    def now(self) -> float:
        return statistics.fmean(self.latest)

    @property
    def seen(self) -> bool:
        """Whether the latest steps are that much worse than the start."""
        return len(self.latest) == WINDOW and self.now > self.start + RISE

    def state(self) -> dict[str, Any]:
        """What it has seen, as JSON."""
        return {"first": self.first, "latest": list(self.latest)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` gave."""
        self.first = list(state["first"])
        self.latest = deque(state["latest"], maxlen=WINDOW)
