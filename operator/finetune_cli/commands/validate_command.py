"""finetune validate."""

from typing import Any

import click

from finetune_api import KIND
from finetune_cli import manifest
from finetune_cli.plugin_findings import plugin_findings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
def command(files: tuple[Any, ...]) -> int:
    """Check manifests without a cluster: schema, references, order of passes, combinations.

    Reads FILES (or - for standard input) as kubectl does. Objects of other kinds are left alone. Ends with 1 when
    anything is wrong; every problem is named with its place.
    """
    wrong = 0
    for file in files:
        name = getattr(file, "name", "-")
        try:
            wrong += _report(name, manifest.read(file, name))
        except click.ClickException as error:
            click.echo(error.message, err=True)
            wrong += 1
    return 1 if wrong else 0


def _report(name: str, found: manifest.Found) -> int:
    """Says what is wrong; how many jobs are."""
    wrong = 0
    for job in found.jobs:
        problems, notes = (job.problems, []) if job.spec is None or job.problems else plugin_findings(job.spec)
        for problem in problems:
            click.echo(f"{name}: {KIND} {job.name}: {problem}", err=True)
        for note in notes:
            click.echo(f"{name}: {KIND} {job.name}: note: {note}", err=True)
        if problems:
            wrong += 1
        else:
            click.echo(f"{name}: {KIND} {job.name} is valid")
    return wrong
