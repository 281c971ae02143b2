"""A tuning pass in a process of its own, which is killed at a step."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import one_thread  # noqa: F401 (before whatever imports torch)
from finetune_api.resource.passes import Tuning
from finetune_runner.store.checkpoints import CheckpointStore
from passes import Reported, tune

PRELOADED = ["torch", "transformers", "peft", "finetune_runner.passes.registry"]
"""Which take seconds to import: the processes are forked from one that has them, and that has computed nothing."""
SECONDS = 120


class KillAt(Reported):
    """A report that ends its process at a step as the kernel would: nothing is tidied up.

    Steps before it wait for the checkpoint that is on its way, as if they were long: they take a hundredth of a second,
    and a disk may take longer for a checkpoint than for all of them.
    """

    def __init__(self, step: int) -> None:
        super().__init__()
        self.at = step

    def __call__(self, **said: Any) -> None:
        super().__call__(**said)
        if said.get("step", 0) < self.at:
            _wait_for_checkpoint()
        if said.get("step") == self.at and "resumed_from" not in said:
            os.kill(os.getpid(), signal.SIGKILL)


def _wait_for_checkpoint() -> None:
    for thread in threading.enumerate():
        if thread.name == "checkpoint":
            thread.join()


def tune_killed_at(step: int, model: Path, output: Path, config: Tuning, checkpoints: CheckpointStore) -> None:
    """Runs a pass until it is killed.

    Raises:
        AssertionError: it ended in another way.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    process = processes.Process(target=_tune, args=(step, model, output, config, checkpoints))
    process.start()
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGKILL, f"it was not killed at step {step} but ended with {process.exitcode}"


def _tune(step: int, model: Path, output: Path, config: Tuning, checkpoints: CheckpointStore) -> None:
    tune(model, output, config, checkpoints=checkpoints, report=KillAt(step))
