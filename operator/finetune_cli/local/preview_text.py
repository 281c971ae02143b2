"""A preview as text: what counts for the loss is green on a terminal with colours, and stands in ⟦ ⟧ elsewhere."""

import sys
import unicodedata
from typing import Any

import click

from finetune_runner.data.preview import Piece, Preview, Sample
from finetune_runner.data.statistics import Statistics
from finetune_runner.data.tokens import IGNORED

BEGIN, END = "⟦", "⟧"
COUNTED = "bold green"
NEXT_ROW = "┄┄ packed beside it, unseen by the row above ┄┄"
KEPT_CONTROLS = "\n\t"


def has_colours() -> bool:
    """Whether standard output is a terminal that shows colours, and NO_COLOR is not set (https://no-color.org)."""
    if not sys.stdout.isatty():
        return False
    from rich.console import Console  # noqa: PLC0415  a tenth of a second

    console = Console()
    return console.color_system is not None and not console.no_color


def show(preview: Preview, *, coloured: bool) -> None:
    """Prints it."""
    write = _Coloured() if coloured else _Plain()
    total = preview.statistics.sequences
    for number, sample in enumerate(preview.samples, start=1):
        write.line(f"── sequence {number} of {total}: {_tokens(sample)}")
        for index, row in enumerate(sample.rows):
            if index:
                write.line(NEXT_ROW)
            write.pieces(row)
    if preview.samples:
        write.line("──")
    for line in summary(preview):
        write.line(line)


def summary(preview: Preview) -> list[str]:
    """The statistics, a line each."""
    found = preview.statistics
    lines = [
        f"rows       {found.rows}: {found.distinct} used, {found.duplicates} duplicate, {found.held_out} held out,"
        f" {found.truncated} cut to maxSeqLen" + (f", {found.bad_rows} bad left out" if found.bad_rows else ""),
        f"sequences  {_sequences(found)}",
    ]
    if preview.held_out and preview.held_out.sequences:
        lines.append(f"held out   {_sequences(preview.held_out)}")
    return lines


def _sequences(found: Statistics) -> str:
    return f"{found.sequences}: {found.tokens} tokens, {found.counted_tokens} of them count for the loss"


def _tokens(sample: Sample) -> str:
    counted = sum(label != IGNORED for label in sample.labels)
    return f"{len(sample.ids)} tokens, {counted} count for the loss"


def printable(text: str) -> str:
    """Control characters spelled out: rows are not to steer a terminal."""
    return "".join(
        char if char in KEPT_CONTROLS or unicodedata.category(char) not in ("Cc", "Cf") else ascii(char)[1:-1]
        for char in text
    )


class _Plain:
    def line(self, text: str) -> None:
        click.echo(text)

    def pieces(self, row: list[Piece]) -> None:
        click.echo("".join(f"{BEGIN}{printable(t)}{END}" if counted else printable(t) for t, counted in row))


class _Coloured:
    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  a tenth of a second

        self._console: Any = Console(highlight=False)

    def line(self, text: str) -> None:
        self._console.print(text, style="dim", markup=False)

    def pieces(self, row: list[Piece]) -> None:
        from rich.text import Text  # noqa: PLC0415

        self._console.print(Text.assemble(*((printable(t), COUNTED if counted else "") for t, counted in row)))
