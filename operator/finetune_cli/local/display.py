"""Progress for people, on standard error: bars on a terminal, a line now and then elsewhere."""

from types import TracebackType
from typing import Any, Self

import click

from finetune_api.plan import Stage
from finetune_api.resource.progress import Progress

EVERY_PERCENT = 25


class Lines:
    """A line when a pass begins or goes on from a checkpoint, and one every quarter of it."""

    def __init__(self) -> None:
        self._said: tuple[str, int, int | None] = ("", 0, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def stage_begins(self, stage: Stage) -> None:
        names = ", ".join(step.name for step in stage.passes)
        click.echo(f"stage {stage.index} on {stage.system.name}: {names}", err=True)

    def progress(self, progress: Progress) -> None:
        now = (progress.pass_, progress.percent // EVERY_PERCENT, progress.resumed_from_step)
        if now != self._said:
            self._said = now
            click.echo(f"  {progress.pass_}: {progress.percent} %{figures(progress)}", err=True)


class Bars:
    """One bar a pass, the pass's figures beside it."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  a tenth of a second
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        more = (TextColumn("{task.fields[figures]}"), TimeElapsedColumn())
        self._bars: Any = RichProgress(*columns, *more, console=Console(stderr=True))
        self._tasks: dict[str, Any] = {}
        self._last: Progress | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pass_ended()
        self._bars.stop()

    def stage_begins(self, stage: Stage) -> None:
        self._bars.console.print(f"stage {stage.index} on {stage.system.name}", highlight=False, markup=False)

    def progress(self, progress: Progress) -> None:
        name = progress.pass_
        if name not in self._tasks:
            self._pass_ended()
            self._tasks[name] = self._bars.add_task(name, total=100, figures="")
        self._last = progress
        self._bars.update(self._tasks[name], completed=progress.percent, figures=figures(progress).strip())

    def _pass_ended(self) -> None:
        """What a pass said last was before its last steps."""
        if self._last:
            task = self._tasks[self._last.pass_]
            self._bars.update(task, completed=100, figures=figures(at_its_end(self._last)).strip())
            self._bars.stop_task(task)


def at_its_end(progress: Progress) -> Progress:
    """A pass's last progress without what was left then."""
    return progress.model_copy(update={"total_steps": 0, "eta_seconds": None})


def figures(progress: Progress) -> str:
    """What a pass says of itself besides its share."""
    parts = []
    if progress.total_steps:
        parts.append(f"step {progress.step} of {progress.total_steps}")
    if progress.resumed_from_step:
        parts.append(f"resumed from step {progress.resumed_from_step}")
    if progress.micro_batch_size:
        parts.append(f"micro-batch lowered to {progress.micro_batch_size}")
    if progress.loss:
        parts.append(f"loss {progress.loss}")
    if progress.tokens_per_second:
        parts.append(f"{progress.tokens_per_second} tokens/s")
    if progress.eta_seconds is not None:
        parts.append(f"{progress.eta_seconds} s left")
    return "  " + ", ".join(parts) if parts else ""
