"""How far the running pass is. Written by the pass, read by the server's threads."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from finetune_api.messages import TerminationMessage
from finetune_api.resource.progress import Outage, Progress
from finetune_runner.passes.telemetry import Telemetry
from finetune_runner.progress.training import training_progress
from finetune_runner.redaction import redacted
from finetune_runner.store import outages
from finetune_runner.store.outages import Lasting

OUTAGE_CHARS = 1024
"""As many as the status takes."""


class ProgressState:
    """The current Progress; safe to use from several threads.

    Args:
        clock: seconds that only go forward.
        outage: what is waited for now, since it does not answer.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        outage: Callable[[], Lasting | None] = outages.current,
    ) -> None:
        self._clock = clock
        self._outage = outage
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._begun: tuple[int, float] | None = None
        """Step and time of the pass's first report: loading before it says nothing about the pace."""
        self._outcome: TerminationMessage | None = None
        self._telemetry: Telemetry | None = None

    def snapshot(self) -> Progress | None:
        """The progress now; None where there is no pass and nothing is waited for, of no pass where something is."""
        with self._lock:
            progress = self._progress
        lasting = self._outage()
        if lasting is None:
            return progress
        return (progress or Progress(pass_="")).model_copy(update={"outage": _told(lasting)})

    def telemetry(self) -> Telemetry | None:
        """The figures of the running pass's training; None before it has some."""
        with self._lock:
            return self._telemetry

    def outcome(self) -> TerminationMessage | None:
        """What the pod's last word would be now; None before anything is known."""
        with self._lock:
            return self._outcome

    def tell(self, outcome: TerminationMessage) -> None:
        """A pass is committed, or more is known of what was."""
        with self._lock:
            self._outcome = outcome

    def start(self, name: str) -> None:
        """A pass begins."""
        with self._lock:
            self._progress, self._begun = Progress(pass_=name, last_update_time=_now()), None
            self._telemetry = None

    def rest(self) -> None:
        """There is no pass any more."""
        with self._lock:
            self._progress = self._telemetry = None

    def keeps(self, step: int) -> None:
        """The store has a checkpoint of the running pass."""
        with self._lock:
            last = self._progress or Progress(pass_="")
            self._progress = last.model_copy(update={"checkpoint_step": step})

    def report(
        self,
        *,
        step: int,
        total_steps: int,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        resumed_from: int | None = None,
        micro_batch: int | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """The running pass has moved; figures that are None keep their last value.

        Args:
            step: steps done.
            total_steps: steps in all; 0: not known.
            loss: mean over the last logged steps.
            tokens_per_second: padding not counted.
            resumed_from: step of the checkpoint it went on from.
            micro_batch: sequences in a micro-batch, where memory forced it down.
            telemetry: further figures of a training loop.
        """
        with self._lock:
            last = self._progress or Progress(pass_="")
            self._begun = self._begun or (step, self._clock())
            self._telemetry = telemetry or self._telemetry
            self._progress = Progress(
                pass_=last.pass_,
                step=step,
                total_steps=total_steps,
                percent=min(100, 100 * step // total_steps) if total_steps else 0,
                loss=last.loss if loss is None else f"{loss:.4f}",
                tokens_per_second=last.tokens_per_second if tokens_per_second is None else f"{tokens_per_second:.0f}",
                eta_seconds=self._eta(step, total_steps),
                resumed_from_step=last.resumed_from_step if resumed_from is None else resumed_from,
                checkpoint_step=last.checkpoint_step,
                micro_batch_size=last.micro_batch_size if micro_batch is None else micro_batch,
                training=training_progress(telemetry) if telemetry else last.training,
                last_update_time=_now(),
            )

    def _eta(self, step: int, total_steps: int) -> int | None:
        assert self._begun is not None  # noqa: S101  set just before
        first, since = self._begun
        if step <= first or not total_steps:
            return None
        pace = (self._clock() - since) / (step - first)
        return max(0, round(pace * (total_steps - step)))


def _told(lasting: Lasting) -> Outage:
    message = redacted(lasting.message)[:OUTAGE_CHARS]
    return Outage(message=message, since=_timestamp(datetime.fromtimestamp(lasting.since, UTC)))


def _now() -> str:
    return _timestamp(datetime.now(UTC))


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
