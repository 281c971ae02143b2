"""finetune validate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from finetune_api import KIND
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_cli import manifest
from finetune_cli.model_findings import model_findings
from finetune_cli.options import MOUNT
from finetune_cli.plugin_findings import plugin_findings


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
@MOUNT
def command(files: tuple[Any, ...], mounts: tuple[tuple[str, Path], ...]) -> int:
    """Check manifests without a cluster: schema, references, order of passes, combinations.

    Reads FILES (or - for standard input) as kubectl does. Objects of other kinds are left alone. Ends with 1 when
    anything is wrong; every problem is named with its place. With --mount of the claim that the model lies in, it also
    says how much memory the tuning passes take.
    """
    wrong = 0
    for file in files:
        name = getattr(file, "name", "-")
        try:
            wrong += _report(name, manifest.read(file, name), dict(mounts))
        except click.ClickException as error:
            click.echo(error.message, err=True)
            wrong += 1
    return 1 if wrong else 0


def _report(name: str, found: manifest.Found, mounts: Mapping[str, Path]) -> int:
    """Says what is wrong; how many jobs are."""
    wrong = 0
    for job in found.jobs:
        problems, notes = (job.problems, []) if job.spec is None or job.problems else _findings(job.spec, mounts)
        for problem in problems:
            click.echo(f"{name}: {KIND} {job.name}: {problem}", err=True)
        for note in notes:
            click.echo(f"{name}: {KIND} {job.name}: note: {note}", err=True)
        if problems:
            wrong += 1
        else:
            click.echo(f"{name}: {KIND} {job.name} is valid")
    return wrong


def _findings(spec: FineTuneJobSpec, mounts: Mapping[str, Path]) -> tuple[list[Problem], list[str]]:
    """What is wrong with a valid spec on this machine, and what is good to know."""
    problems, notes = plugin_findings(spec)
    unfit, told = model_findings(spec, mounts)
    return [*problems, *unfit], [*map(str, notes), *told]
