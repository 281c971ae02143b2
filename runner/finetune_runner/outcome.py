"""What is known of a job so far: grows while the pod works, and becomes its last word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from finetune_api.failures import FineTuneError
from finetune_api.messages import (
    Checkpoint,
    GateOutcome,
    GaveWay,
    Headline,
    PassOutcome,
    Published,
    TerminationMessage,
    failure_message,
)
from finetune_runner.gating.gates import Verdict
from finetune_runner.redaction import redacted
from finetune_runner.store.digests import short
from finetune_runner.store.manifest import Manifest

NAME_CHARS = 20
VALUE_CHARS = 12


@dataclass
class Outcome:
    """Filled in by prepare or a stage; read when the process ends, however it ends."""

    kind: Literal["prepare", "stage", "delete"]
    passes: dict[int, PassOutcome] = field(default_factory=dict)
    metrics: dict[int, dict[str, str]] = field(default_factory=dict)
    intervals: dict[int, dict[str, tuple[str, str]]] = field(default_factory=dict)
    gates: list[GateOutcome] = field(default_factory=list)
    published: Published | None = None
    gave_way: GaveWay | None = None
    current: int | None = None
    """The pass that is running, its position in spec.passes."""
    checkpoint: Checkpoint | None = None
    """Of that pass, the newest in the store."""

    def know(self, index: int, key: str, figures: Mapping[str, str] | None = None) -> None:
        """A pass's key, before its output is committed; and what is known of it already."""
        self.passes[index] = PassOutcome(index=index, key=key)
        self.metrics[index] = dict(figures or {})
        self.intervals[index] = {}

    def committed(self, index: int, key: str, manifest: Manifest) -> None:
        self.passes[index] = PassOutcome(
            index=index, key=key, digest=short(manifest.digest), size_bytes=manifest.size_bytes
        )
        self.metrics[index] = dict(manifest.metrics)
        self.intervals[index] = dict(manifest.intervals)
        if self.checkpoint and self.checkpoint.index == index:
            self.checkpoint = None

    def keeps(self, index: int, step: int) -> None:
        """The store has a checkpoint of a pass that is under way; called from the thread that puts it there."""
        self.checkpoint = Checkpoint(index=index, step=step)

    def judged(self, verdicts: Sequence[Verdict]) -> None:
        """What the gates came to."""
        self.gates = [GateOutcome(passed=v.passed, value=short_value(v.value)) for v in verdicts]

    def message(self, failure: FineTuneError | None, *, first: frozenset[int], log: str = "") -> TerminationMessage:
        """The pod's last word.

        Args:
            failure: why it ends, if not in success.
            log: then the last lines of the log.
            first: passes whose figures come before others', since not all may fit. Among these each pass's first figure
                comes before any second one, so that a pass with many leaves room for the rest.
        """
        told = [
            (line.index not in first, rank, line.index, line)
            for index, metrics in self.metrics.items()
            for rank, line in enumerate(headlines(index, metrics, self.intervals[index]))
        ]
        return TerminationMessage(
            kind=self.kind,
            passes=[self.passes[index] for index in sorted(self.passes)],
            headlines=[line for *_, line in sorted(told, key=lambda ranked: ranked[:3])],
            gates=self.gates,
            published=self.published,
            gave_way=self.gave_way,
            checkpoint=self.checkpoint,
            failure=failure_message(_redacted(failure), self.current, redacted(log)) if failure else None,
        )


def _redacted(error: FineTuneError) -> FineTuneError:
    return FineTuneError(error.reason, redacted(error.message), remedy=redacted(error.remedy), path=error.path)


def headlines(
    index: int, metrics: Mapping[str, str], intervals: Mapping[str, tuple[str, str]] | None = None
) -> list[Headline]:
    """A pass's figures as they travel; of names that are the same after shortening the first counts."""
    ends, lines = intervals or {}, dict[str, Headline]()
    for name, value in metrics.items():
        short = name[:NAME_CHARS]
        lines.setdefault(short, _headline(index, short, value, ends.get(name)))
    return list(lines.values())


def _headline(index: int, name: str, value: str, interval: tuple[str, str] | None) -> Headline:
    low, high = interval or ("", "")
    return Headline(index=index, name=name, value=short_value(value), low=short_value(low), high=short_value(high))


def short_value(value: str) -> str:
    """A figure in at most 12 characters: rounded rather than cut, if it is a number."""
    if len(value) <= VALUE_CHARS:
        return value
    try:
        return f"{float(value):.5g}"
    except ValueError:
        return value[:VALUE_CHARS]
