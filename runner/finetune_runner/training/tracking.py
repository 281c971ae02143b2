"""Tells the user's own trackers what training logs, by transformers' integrations."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback
from transformers.integrations import get_reporting_integration_callbacks

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.interruption import Interrupted
from finetune_runner.redaction import redacted
from finetune_runner.trackers import part_login_from_address

log = logging.getLogger(__name__)

PATIENCE = 3
"""Failures in a row after which a tracker is told no more: each may take minutes."""
FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"
"""How a run ends, as MLflow says it."""
CLOSING_SECONDS = {FINISHED: 30, FAILED: 10, KILLED: 2}
"""How long what has not arrived yet is waited for; a process that was asked to stop has little time."""


@contextmanager
def tracked(trainer: Trainer, names: Sequence[str], *, run_name: str, folder: Path, path: str) -> Iterator[None]:
    """Has trackers told what is logged within the block, and of its end.

    Args:
        trainer: that trains in it.
        names: of finetune_api.trackers.
        run_name: what the run is called.
        folder: where TensorBoard's files go, unless TENSORBOARD_LOGGING_DIR says where.
        path: of training.reportTo in the spec.
    """
    if not names:
        yield
        return
    part_login_from_address(os.environ)
    trackers = Trackers(names, folder, path)
    trainer.args.run_name = run_name or None
    trainer.add_callback(trackers)
    ended = FAILED
    try:
        yield
        ended = FINISHED
    except (Interrupted, KeyboardInterrupt):
        ended = KILLED
        raise
    finally:
        trackers.close(ended)


class Trackers(TrainerCallback):  # type: ignore[misc]
    """Trainer's callbacks of the trackers. Once training has begun, their failures are warnings.

    They are not told of the end of training, but of the block's: the last evaluation comes in between.
    """

    def __init__(self, names: Sequence[str], folder: Path, path: str) -> None:
        """The trackers, which are told nothing yet.

        Raises:
            FineTuneError: InvalidSpec, a library that is there does not work.
        """
        kinds = get_reporting_integration_callbacks(list(names))
        try:
            self._trackers = {name: kind() for name, kind in zip(names, kinds, strict=True)}
        except (ImportError, RuntimeError) as error:
            remedy = "Mend the image of the system, or leave the tracker out."
            raise FineTuneError(Reason.INVALID_SPEC, sentence(error), remedy=remedy, path=path) from None
        self._failures = dict.fromkeys(names, 0)
        self._path = path
        if (tensorboard := self._trackers.get("tensorboard")) and tensorboard.logging_dir is None:
            tensorboard.logging_dir = str(folder)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A run begins.

        Raises:
            FineTuneError: TrackerUnavailable, before the first step; a run that goes on from a checkpoint goes on.
        """
        for name, tracker in self._trackers.items():
            try:
                tracker.on_train_begin(args, state, control, **more)
            except Exception as error:  # noqa: BLE001  libraries raise what they like
                if not state.global_step:
                    raise self._unavailable(name, error) from None  # whose text may hold the address with its login
                self._failed(name, error)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **more: Any) -> None:
        for name in self._told:
            self._try(name, lambda tracker: tracker.on_log(args, state, control, logs=dict(logs), **more))

    def close(self, ended: str) -> None:
        """The run has ended: FINISHED, FAILED or KILLED."""
        for name in self._told:
            self._try(name, partial(_end, name, ended=ended))

    @property
    def _told(self) -> list[str]:
        return [name for name, failures in self._failures.items() if failures < PATIENCE]

    def _try(self, name: str, tell: Callable[[Any], None]) -> None:
        try:
            tell(self._trackers[name])
        except Exception as error:  # noqa: BLE001  whatever it is, the run is worth more
            self._failed(name, error)
        else:
            self._failures[name] = 0

    def _failed(self, name: str, error: Exception) -> None:
        self._failures[name] += 1
        more = "" if self._failures[name] < PATIENCE else "; it is told no more"
        log.warning("%s was not told: %s%s", name, sentence(error), more)

    def _unavailable(self, name: str, error: Exception) -> FineTuneError:
        return FineTuneError(
            Reason.TRACKER_UNAVAILABLE,
            f"{name} does not take the run: {sentence(error)}",
            remedy="Check its address and credentials in env of the system, or leave it out of reportTo.",
            path=self._path,
        )


def _end(name: str, tracker: Any, ended: str) -> None:
    """Ends a tracker's run; Trainer's callbacks leave that to the process's end, and another pass may follow."""
    seconds = CLOSING_SECONDS[ended]
    match name:
        case "mlflow":
            import mlflow  # noqa: PLC0415  only where it is used

            os.environ |= {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
            # What it logs waits in a queue, and the process leaves without emptying it.
            _within(seconds, mlflow.flush_async_logging)
            mlflow.end_run(ended)
        case "wandb":
            import wandb  # noqa: PLC0415  only where it is used

            _within(seconds, partial(wandb.finish, exit_code=int(ended != FINISHED)))
        case _:
            tracker.on_train_end(None, None, None)


def _within(seconds: float, work: Callable[[], Any]) -> None:
    """Does something, and lets go of it when it takes too long.

    Raises:
        TimeoutError: it is not done yet.
    """
    failures: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  raised below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        msg = f"what was logged did not arrive within {seconds:.0f} seconds"
        raise TimeoutError(msg)
    for error in failures:
        raise error


def sentence(error: Exception) -> str:
    """An exception in a line, without what is secret."""
    return redacted(f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}")
