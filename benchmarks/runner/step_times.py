"""When each optimizer step of a run ends, and how many tokens it had: the same for whoever uses transformers' Trainer.

Nothing but the standard library and transformers, since it is imported in the peer's environment too.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class StepTimes:
    """Seconds since the process was started."""

    ended: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    """Without padding."""
    through: list[int] = field(default_factory=list)
    """With padding."""

    def watch(self) -> None:
        """Has every Trainer of this process tell its steps."""
        from transformers import Trainer, TrainerCallback  # noqa: PLC0415  only once the clock of the start runs

        times, fetch, begin = self, Trainer.get_batch_samples, Trainer.__init__

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                times.ended.append(since_start())

        def get_batch_samples(trainer: Any, *arguments: Any, **named: Any) -> Any:
            batches, items = fetch(trainer, *arguments, **named)
            times.tokens.append(sum(int(batch["attention_mask"].sum()) for batch in batches))
            times.through.append(sum(batch["attention_mask"].numel() for batch in batches))
            return batches, items

        def init(trainer: Any, *arguments: Any, **named: Any) -> None:
            begin(trainer, *arguments, **named)
            trainer.add_callback(Watch())

        Trainer.get_batch_samples, Trainer.__init__ = get_batch_samples, init

    def save(self, file: Path) -> None:
        steps = len(self.ended)
        told = {"ended": self.ended, "tokens": self.tokens[:steps], "through": self.through[:steps]}
        file.write_text(json.dumps({**told, "seconds": since_start()}), encoding="utf-8")


def since_start() -> float:
    """Seconds since this process was started: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    started = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
