"""Stalls: an optimizer step that takes far longer than those before it is one that never ends.

A device that hangs, or a collective that waits for a peer that is gone, keeps the main thread inside a call of the
driver's, where no exception reaches it. So another thread keeps the time, and ends the process; the next one goes on
from the newest checkpoint.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import Trainer, TrainerCallback

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.giving_up import give_up
from finetune_runner.training.step_watch import StepWatch

REMEDY = (
    "The log has what every thread was at. See the health of the node and its accelerator; the next try goes on from"
    " the newest checkpoint."
)


@contextmanager
def stalls_seen(trainer: Trainer, path: str) -> Iterator[None]:
    """While it lasts, a step of the trainer's that never ends ends the process.

    Args:
        trainer: whose steps are watched; not what lies between them: reading data, evaluation, checkpoints.
        path: where the training arguments stand in the spec.
    """

    def stalled(seconds: float, limit: float) -> None:
        message = f"an optimizer step has not ended after {seconds:.0f} seconds; by those before it has {limit:.0f}"
        give_up(FineTuneError(Reason.STALLED, message, remedy=REMEDY, path=path))

    watch = StepWatch(stalled)
    trainer.add_callback(_Steps(watch))
    watch.start()
    try:
        yield
    finally:
        watch.stop()


class _Steps(TrainerCallback):  # type: ignore[misc]
    """Tells a watch when steps begin and end."""

    def __init__(self, watch: StepWatch) -> None:
        self._watch = watch

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._watch.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._watch.end()
