"""When each step of a run ends, its tokens, and its adapter now and then; alike for all that use transformers' Trainer.

Nothing but the standard library and transformers, since it is imported in the peer's environment too.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class StepTimes:
    """Seconds since the process was started, less those that writing adapters took."""

    adapters: Path
    """The adapter after each step of `keep` goes into a directory of this one that has the step's number for a name."""
    keep: Sequence[int]
    ended: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    """Without padding."""
    through: list[int] = field(default_factory=list)
    """With padding."""
    paused: float = 0.0

    def watch(self) -> None:
        """Has every Trainer of this process tell its steps."""
        from transformers import Trainer, TrainerCallback  # noqa: PLC0415  only once the clock of the start runs

        times, fetch, begin = self, Trainer.get_batch_samples, Trainer.__init__

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, _: Any, state: Any, __: Any, **given: Any) -> None:
                times.ended.append(times.now())
                if state.global_step in times.keep:
                    given["model"].save_pretrained(times.adapters / str(state.global_step))
                    times.paused = since_start() - times.ended[-1]

        def get_batch_samples(trainer: Any, *arguments: Any, **named: Any) -> Any:
            batches, items = fetch(trainer, *arguments, **named)
            times.tokens.append(sum(int(batch["attention_mask"].sum()) for batch in batches))
            times.through.append(sum(batch["attention_mask"].numel() for batch in batches))
            return batches, items

        def init(trainer: Any, *arguments: Any, **named: Any) -> None:
            begin(trainer, *arguments, **named)
            trainer.add_callback(Watch())

        Trainer.get_batch_samples, Trainer.__init__ = get_batch_samples, init

    def now(self) -> float:
        return since_start() - self.paused

    def save(self, file: Path) -> None:
        steps = len(self.ended)
        told = {"ended": self.ended, "tokens": self.tokens[:steps], "through": self.through[:steps]}
        file.write_text(json.dumps({**told, "seconds": self.now()}), encoding="utf-8")


def since_start() -> float:
    """Seconds since this process was started: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    started = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
