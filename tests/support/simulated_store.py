"""The store of a simulated job: which passes are committed, and what a pod that reads it says as its last word."""

from dataclasses import dataclass, field

from finetune_api.failures import Reason
from finetune_api.messages import Checkpoint, FailureMessage
from runner_words import message

PASSES = ("tune", "merge", "int4")
STAGES = ((0,), (1, 2))
"""Indices of the passes by stage, of the spec that operator_world and this use."""
TUNING = 0
"""The pass that keeps checkpoints."""


@dataclass
class Store:
    committed: set[int] = field(default_factory=set)
    ever: set[int] = field(default_factory=set)
    """Passes that were committed at some time."""
    lost: set[int] = field(default_factory=set)
    """Passes that were committed, and were gone from the store at some time since."""
    published: bool = False
    checkpoint: int = 0
    """Step of the newest of TUNING; 0 for none."""
    newest_ever: int = 0

    def keep(self) -> None:
        """A checkpoint, newer than all that ever were."""
        self.checkpoint = self.newest_ever = self.newest_ever + 10

    def commit(self, index: int) -> None:
        self.committed.add(index)
        self.ever.add(index)
        self.checkpoint = 0 if index == TUNING else self.checkpoint

    def lose(self, index: int) -> None:
        self.committed.discard(index)
        self.lost.add(index)

    @property
    def complete(self) -> bool:
        return len(self.committed) == len(PASSES)

    def next_of(self, stage: int) -> int | None:
        """The stage's next pass; None where all are committed."""
        return next((index for index in STAGES[stage] if index not in self.committed), None)

    def missing_before(self, stage: int) -> int | None:
        """An earlier stage's pass whose output this stage can't find."""
        return next((index for index in range(STAGES[stage][0]) if index not in self.committed), None)

    def word(self, kind: str, failure: FailureMessage | None = None, *, publishes: bool = False) -> str:
        """A pod's last word."""
        self.published = self.published or publishes
        kept = Checkpoint(index=TUNING, step=self.checkpoint) if kind == "stage" and self.checkpoint else None
        return message(kind, self.committed, len(PASSES), published=publishes, failure=failure, checkpoint=kept)


def told(reason: Reason, index: int | None = None, path: str = "") -> FailureMessage:
    return FailureMessage(reason=reason, message="it broke", remedy="mend it", path=path, index=index)
