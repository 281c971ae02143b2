"""Files of this machine into a bucket, with credentials as every AWS tool finds them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import click

from finetune_cli.olive.places import Upload
from finetune_runner.store.s3_client import DEFAULT_REGION


def upload_all(uploads: Sequence[Upload], folder: Path, endpoint: str) -> None:
    """Uploads files and folders; hidden files stay.

    Args:
        uploads: what goes where; all is looked for before anything is sent.
        folder: what their paths are relative to.
        endpoint: of an S3-compatible service; empty for AWS.

    Raises:
        ClickException: a file is missing, or the bucket refuses it.
    """
    pairs = [pair for upload in uploads for pair in _files(folder / upload.path, upload)]
    client = _client(endpoint)
    for file, uri in pairs:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        click.echo(f"uploading {file} to {uri}", err=True)
        try:
            client.upload_file(str(file), bucket, key)
        except (
            botocore.exceptions.BotoCoreError,
            botocore.exceptions.ClientError,
            boto3.exceptions.Boto3Error,
        ) as error:
            raise click.ClickException(f"{file} can't be uploaded to {uri}: {error}") from error


def _files(path: Path, upload: Upload) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, upload.uri
        return
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file.relative_to(path))]
    if not found:
        raise click.ClickException(f"{path}, which the config names, is not there, or empty; nothing was uploaded")
    for file in found:
        yield file, f"{upload.uri}/{file.relative_to(path).as_posix()}"


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _client(endpoint: str) -> Any:
    session = boto3.session.Session()
    style = botocore.config.Config(s3={"addressing_style": "path"}) if endpoint else None
    region = session.region_name or DEFAULT_REGION
    return session.client("s3", endpoint_url=endpoint or None, region_name=region, config=style)
