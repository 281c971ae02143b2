"""What training has to tell: losses, tokens and seconds. Pure, but for the clock it is given."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from finetune_runner.training.model_flops import Work

STATE = ("tokens", "positions", "flops", "seconds", "steps", "total_loss", "unlogged_steps", "unlogged_loss")


@dataclass
class Meter:
    """Counts what optimizer steps do; evaluation between them does not count."""

    clock: Callable[[], float]
    window: int
    """Steps whose mean loss is told."""
    tokens: int = 0
    """Tokens without padding."""
    positions: int = 0
    """Tokens with padding."""
    flops: int = 0
    """Floating-point operations, by the model's definition."""
    seconds: float = 0.0
    steps: int = 0
    total_loss: float = 0.0
    unlogged_steps: int = 0
    unlogged_loss: float = 0.0
    step_loss: float = 0.0
    """Of the step that runs, or ran last; nats a token."""
    _losses: deque[float] = field(init=False)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self._losses = deque(maxlen=self.window)

    def begin_step(self) -> None:
        """A step begins, with the loading of its batches."""
        self._began, self.step_loss = self.clock(), 0.0

    def add(self, work: Work, loss: float) -> None:
        """A micro-batch, and its share of the step's mean loss."""
        self.tokens += work.tokens
        self.positions += work.positions
        self.flops += work.flops
        self.step_loss += loss

    def end_step(self) -> None:
        self.seconds += self.clock() - self._began
        self.steps += 1
        self.total_loss += self.step_loss
        self.unlogged_steps += 1
        self.unlogged_loss += self.step_loss
        self._losses.append(self.step_loss)

    def logged(self) -> float:
        """Mean loss of the steps since this was last asked, in nats a token; NaN before the first."""
        steps, loss = self.unlogged_steps, self.unlogged_loss
        self.unlogged_steps, self.unlogged_loss = 0, 0.0
        return loss / steps if steps else math.nan

    @property
    def loss(self) -> float:
        """Mean loss of the latest steps, in nats a token; NaN before the first."""
        return sum(self._losses) / len(self._losses) if self._losses else math.nan

    @property
    def mean_loss(self) -> float:
        """Mean loss of all steps, in nats a token; NaN before the first."""
        return self.total_loss / self.steps if self.steps else math.nan

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def flops_per_second(self) -> float:
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def padding(self) -> float | None:
        """Share of all positions that hold no token; None before the first."""
        return 1 - self.tokens / self.positions if self.positions else None

    def state(self) -> dict[str, Any]:
        """All it has counted, as JSON."""
        return {name: getattr(self, name) for name in STATE} | {"losses": list(self._losses)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` gave."""
        for name in STATE:
            setattr(self, name, state[name])
        self._losses = deque(state["losses"], maxlen=self.window)
