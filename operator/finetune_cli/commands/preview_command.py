"""finetune preview."""

from pathlib import Path
from typing import Any

import click

from finetune_cli import manifest
from finetune_cli.options import mapped_options


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--name", default="", help="Which job, where the file holds several.")
@click.option("--pass", "step", default="", help="Show the rows of this tuning pass, as it splits them.")
@click.option("--data", default="", help="Show this data config by itself.")
@click.option("--rows", type=click.IntRange(min=0), default=3, show_default=True, help="How many sequences to show.")
@mapped_options
def command(
    *,
    file: Any,
    name: str,
    step: str,
    data: str,
    rows: int,
    mounts: tuple[tuple[str, Path], ...],
    secrets: tuple[tuple[str, Path], ...],
    config_maps: tuple[tuple[str, Path], ...],
) -> None:
    """Show what a model would be trained on: text, what of it counts for the loss, and how much there is.

    Reads rows and tokenizer, no weights. What counts is green, or stands in ⟦ ⟧ where the output has no colours.
    """
    from finetune_cli.local.pod_root import Mapped  # noqa: PLC0415
    from finetune_cli.local.preview_text import has_colours, show  # noqa: PLC0415
    from finetune_cli.local.previewing import previewed, subject_of  # noqa: PLC0415
    from finetune_runner.data.tokenizers import is_exact  # noqa: PLC0415

    if step and data:
        raise click.UsageError("--pass and --data are given together; keep one")
    job = manifest.read_one(file, file.name, name)
    assert job.spec is not None  # noqa: S101  it is valid
    try:
        subject = subject_of(job.spec, step=step, data=data)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not is_exact():
        click.echo("note: transformers is not installed; tokens are those of tokenizer.json", err=True)
    show(
        previewed(job.spec, subject, Mapped(dict(mounts), dict(secrets), dict(config_maps)), rows),
        coloured=has_colours(),
    )
