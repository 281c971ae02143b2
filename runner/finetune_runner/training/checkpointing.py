"""When a checkpoint is made, and how it gets into the store while training goes on."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from finetune_api.resource.training import Training
from finetune_runner.ending.interruption import Deferral, Interrupted
from finetune_runner.passes.contract import Checkpoints
from finetune_runner.training.trainer import AdapterTrainer

log = logging.getLogger(__name__)

MARGIN_SECONDS = 5.0
"""Of the grace period, for the last word and for what the kubelet needs."""


def time_to_stop(grace_seconds: float) -> float:
    """Seconds for the running step and a checkpoint after it."""
    return max(grace_seconds - MARGIN_SECONDS, grace_seconds / 2)


def restored(trainer: AdapterTrainer, checkpoints: Checkpoints, folder: Path) -> str | None:
    """Fetches the newest checkpoint; returns what Trainer is to resume from, None for the start.

    Args:
        trainer: whose own state is restored.
        checkpoints: of the pass.
        folder: where the checkpoint goes.

    Raises:
        FineTuneError: StoreUnavailable, AuthDenied.
    """
    if checkpoints.restore(folder) is None:
        return None
    trainer.restore_progress(folder)
    return str(folder)


@dataclass
class BackgroundSaves:
    """Puts local snapshots into the store, one at a time, in a thread. A failure is a warning: training goes on."""

    save: Callable[[int, Path], None]
    """Given a step and its folder."""
    _thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(self, step: int, folder: Path) -> None:
        self._thread = threading.Thread(target=self.now, args=(step, folder), name="checkpoint", daemon=True)
        self._thread.start()

    def now(self, step: int, folder: Path) -> bool:
        """The same in this thread; whether it worked."""
        try:
            began = time.monotonic()
            self.save(step, folder)
        except Exception as error:  # noqa: BLE001  whatever it is, the run is worth more
            log.warning("checkpoint of step %d is not kept: %s", step, error)
            return False
        else:
            log.info("checkpoint of step %d kept, in %.1f s", step, time.monotonic() - began)
            return True
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self) -> None:
        """Waits for the one in flight."""
        if self._thread is not None:
            self._thread.join()


class Checkpointing(TrainerCallback):  # type: ignore[misc]
    """Has Trainer write a checkpoint every so many steps or seconds, and when the pod is asked to stop."""

    def __init__(
        self,
        trainer: AdapterTrainer,
        training: Training,
        saves: BackgroundSaves,
        stop: Deferral,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A schedule.

        Args:
            trainer: whose progress is part of a checkpoint.
            training: with the intervals.
            saves: takes what is written.
            stop: tells whether the pod is asked to stop.
            clock: seconds that only go forward.
        """
        self.trainer = trainer
        self.training = training
        self.saves = saves
        self.stop = stop
        self.clock = clock
        self._step, self._time = 0, clock()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._step, self._time = state.global_step, self.clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """At an epoch's last step not yet: what Trainer does between two epochs would be left out on resuming."""
        control.should_save = not float(state.epoch).is_integer() and self._due(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        control.should_save = self._due(state, control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Trainer has written its part.

        Raises:
            Interrupted: the pod is asked to stop, and has its checkpoint.
        """
        self._step, self._time = state.global_step, self.clock()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if control.should_training_stop:  # an evaluation has just ended it; there is nothing to go on from
            shutil.rmtree(folder)
            return
        self.trainer.save_progress(folder)
        if not self.stop.requested:
            self.saves.begin(state.global_step, folder)
        elif self.saves.now(state.global_step, folder):
            msg = f"the pod was asked to stop; a checkpoint of step {state.global_step} is kept"
            raise Interrupted(msg)
        else:
            raise Interrupted

    def _due(self, state: Any, control: Any) -> bool:
        """Not at the last step: Trainer would take another one on resuming."""
        if state.global_step in (self._step, state.max_steps) or control.should_training_stop:
            return False
        return self.stop.requested or (not self.saves.busy and self._interval_is_over(state.global_step))

    def _interval_is_over(self, step: int) -> bool:
        by_steps, by_seconds = self.training.save_steps, self.training.save_seconds
        return bool(
            (by_steps and step - self._step >= by_steps) or (by_seconds and self.clock() - self._time >= by_seconds)
        )
