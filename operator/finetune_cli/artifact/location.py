"""Where an artifact lies: s3://bucket/prefix, or a folder of this machine."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.store.object_store import ObjectStore

S3 = "s3://"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""
REMEDIES = {
    Reason.AUTH_DENIED: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or AWS_PROFILE.",
    Reason.INVALID_SPEC: "Check the location, and --endpoint.",
    Reason.STORE_UNAVAILABLE: "Check --endpoint, and whether it can be reached from here.",
}


def is_remote(location: str) -> bool:
    return location.startswith(S3)


def folder_of(location: str) -> Path:
    """A location that is a folder.

    Raises:
        UsageError: there is none.
    """
    folder = Path(location)
    if not folder.is_dir():
        raise click.UsageError(f"{location!r} is neither a folder nor {S3}bucket/prefix")
    return folder


@contextmanager
def opened(location: str, endpoint: str) -> Iterator[ObjectStore]:
    """The bucket of an s3:// location, with credentials as every AWS tool finds them.

    Args:
        location: s3://bucket/prefix.
        endpoint: URL of an S3-compatible service; empty for what the environment says, or AWS.

    Raises:
        UsageError: it is no location.
        FineTuneError: what goes wrong with the bucket meanwhile, with what to do on this machine.
    """
    from boto3.session import Session  # noqa: PLC0415  a third of a second

    from finetune_runner.store.s3 import S3Store  # noqa: PLC0415

    given = endpoint or next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    try:
        place = S3Location(uri=location, endpoint=given, region=Session().region_name or "")
    except ValidationError as error:
        wrong = "endpoint" if "endpoint" in str(error) else "location"
        raise click.UsageError(f"{given if wrong == 'endpoint' else location!r} is no {wrong} of S3") from error
    with tempfile.TemporaryDirectory() as scratch:
        try:
            yield S3Store(place, secrets=Path(scratch), scratch=Path(scratch), path="")
        except FineTuneError as error:
            if error.reason not in REMEDIES:
                raise
            message = f"{location} can't be read: {error.message}"
            raise FineTuneError(error.reason, message, remedy=REMEDIES[error.reason]) from error
