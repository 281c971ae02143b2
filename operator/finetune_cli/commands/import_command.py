"""finetune import."""

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from finetune_api.resource.locations import S3Location
from finetune_api.schema_problem import schema_problem
from finetune_cli.kubectl_yaml import ManifestError, dump_document, load_file
from finetune_cli.metadata import is_object_name
from finetune_cli.olive.convert import Imported, Options, convert
from finetune_cli.olive.places import Bucket
from finetune_cli.olive_files import FolderFiles

OPTIONS = {"endpoint": "--endpoint", "credentialsSecretRef": "--secret"}
"""Fields of a place in S3 that have an option of their own."""
MODELINE = "# yaml-language-server: $schema=finetunejob.schema.json\n"


@click.command()
@click.argument("config", type=click.File("rb"))
@click.option("--name", default="", help="The job's name. Default: workflow_id, else the file's name.")
@click.option("--strict", is_flag=True, help="Fail, and write nothing, when a key is not carried over.")
@click.option("--upload", default="", metavar="S3URI", help="Put the local model and data files there.")
@click.option("--store", default="", metavar="S3URI", help="Where outputs of passes are kept.")
@click.option("--output", default="", metavar="S3URI", help="Where the artifact is published.")
@click.option("--endpoint", default="", metavar="URL", help="An S3-compatible service. Default: AWS.")
@click.option("--secret", default="s3", show_default=True, help="Secret with the bucket's keys, in the cluster.")
def command(
    *, config: Any, name: str, strict: bool, upload: str, store: str, output: str, endpoint: str, secret: str
) -> int:
    """Translate an Olive config into a FineTuneJob.

    The manifest goes to standard output. Notes go to standard error: every key of CONFIG (JSON or YAML, or - for
    standard input) is carried over, translated, or reported with its place and what to do. Ends with 1 and writes no
    manifest when there can be none, or with --strict when a key is not carried over. Paths in CONFIG are relative to
    its folder; --upload takes credentials from the environment.
    """
    if name and not is_object_name(name):
        raise click.UsageError(f"--name: {name!r} is not a name; use lower case, digits, '-' and '.'")
    access: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    access |= {"credentialsSecretRef": {"name": secret}} if secret else {}
    label = getattr(config, "name", "-")
    file = Path(label) if label not in ("-", "<stdin>") else Path("olive")
    files = FolderFiles(file.parent)
    options = Options(
        name=name,
        instead=file.name.partition(".")[0],
        bucket=Bucket(_location("--upload", upload, access)["uri"].rstrip("/"), access) if upload else None,
        store={"s3": _location("--store", store, access)} if store else None,
        output={"s3": _location("--output", output, access)} if output else None,
    )
    found = convert(_document(config, label), files, options)
    for note in found.notes:
        click.echo(f"{label}: {note}", err=True)
    if found.manifest is None or (strict and not found.lossless):
        return 1
    _upload(found, files, access)
    click.echo(MODELINE + dump_document(found.manifest), nl=False)
    return 0


def _location(option: str, uri: str, access: dict[str, Any]) -> dict[str, Any]:
    try:
        S3Location.model_validate({"uri": uri, **access})
    except ValidationError as error:
        first = error.errors()[0]
        wrong = OPTIONS.get(str(first["loc"][0]), option)
        raise click.UsageError(f"{wrong}: {schema_problem(first).message}") from error
    return {"uri": uri, **access}


def _document(config: Any, label: str) -> Any:
    try:
        documents = load_file(config)
    except ManifestError as error:
        raise click.ClickException(f"{label}: {error}") from error
    if len(documents) != 1:
        raise click.ClickException(f"{label}: holds {len(documents)} documents; an Olive config is one object")
    return documents[0]


def _upload(found: Imported, files: FolderFiles, access: dict[str, Any]) -> None:
    if not found.uploads:
        return
    from finetune_cli.upload import upload_all  # noqa: PLC0415  boto3 takes its time

    upload_all(found.uploads, files.folder, access.get("endpoint", ""))
