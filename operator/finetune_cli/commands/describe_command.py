"""finetune describe."""

from datetime import UTC, datetime
from typing import IO

import click

from finetune_cli.describing.finding import as_json, from_cluster, from_file
from finetune_cli.describing.story import story


@click.command()
@click.argument("name", default="")
@click.option("-n", "--namespace", default="", help="Of the job. Default: the kubeconfig's.")
@click.option("--context", default="", help="Of the kubeconfig. Default: the current one.")
@click.option("-f", "--file", type=click.File("rb"), help="A job that kubectl get -o yaml has printed, or -.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="json: an object a line.")
def command(name: str, namespace: str, context: str, file: IO[bytes] | None, output: str) -> None:
    """Tell how job NAME stands, what each pass came to, and if it failed why and what to do.

    It is read from the cluster of your kubeconfig, or with -f from a file, of which NAME chooses one.
    """
    if file is None and not name:
        raise click.UsageError("say which job by NAME, or give a file by -f")
    jobs = from_file(file, file.name, name) if file else [from_cluster(name, namespace, context)]
    if output == "json":
        click.echo("\n".join(as_json(job) for job in jobs))
        return
    now = datetime.now(UTC)
    click.echo("\n\n".join(story(job.name, job.namespace, job.status, now) for job in jobs))
