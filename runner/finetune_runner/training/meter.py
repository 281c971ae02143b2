"""What training has to tell: recent loss, tokens and seconds. Pure, but for the clock it is given."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Meter:
    """Counts what optimizer steps do; evaluation between them does not count."""

    clock: Callable[[], float]
    window: int
    """Steps whose mean loss is told."""
    tokens: int = 0
    """Tokens without padding."""
    seconds: float = 0.0
    _losses: deque[float] = field(init=False)
    _step_loss: float = 0.0
    _began: float = 0.0

    def __post_init__(self) -> None:
        self._losses = deque(maxlen=self.window)

    def begin_step(self) -> None:
        self._began, self._step_loss = self.clock(), 0.0

    def add(self, *, tokens: int, loss: float) -> None:
        """A micro-batch: its tokens, and its share of the step's mean loss."""
        self.tokens += tokens
        self._step_loss += loss

    def end_step(self) -> None:
        self.seconds += self.clock() - self._began
        self._losses.append(self._step_loss)

    @property
    def loss(self) -> float:
        """Mean loss of the latest steps, in nats a token; NaN before the first."""
        return sum(self._losses) / len(self._losses) if self._losses else math.nan

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0
