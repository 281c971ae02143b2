"""finetune verify."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_cli.options import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_runner.provenance.checking import Read
    from finetune_runner.store.damage import Damage
    from finetune_runner.store.verification import Artifact

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("location")
@click.option("--public-key", type=EXISTING, help="PEM of the key that must have signed the artifact's provenance.")
@click.option(
    "--write-job",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes the job that makes the artifact again, from its provenance.",
)
@ENDPOINT
def command(*, location: str, public_key: Path | None, write_job: Path | None, endpoint: str) -> None:
    """Check a published artifact: every file against the sizes and digests of its manifest and its provenance.

    LOCATION is a job's output: s3://bucket/prefix, or a folder. Every file is read. Ends with 50 (ArtifactCorrupt) when
    anything is damaged or not signed by the key, and names it. Credentials for S3 are those of the AWS tools
    (AWS_ACCESS_KEY_ID, AWS_PROFILE…).
    """
    from finetune_cli.artifact.location import folder_of, is_remote, opened  # noqa: PLC0415
    from finetune_runner.store.verification import (  # noqa: PLC0415
        artifact_at,
        artifact_in,
        beside_at,
        beside_in,
        damages_at,
        damages_in,
    )

    asked = _Asked(location, public_key.read_bytes() if public_key else None, write_job)
    if is_remote(location):
        with opened(location, endpoint) as store:
            artifact = artifact_at(store)
            _check(asked, artifact, damages_at(store, artifact.manifest), beside_at(store))
    else:
        folder = folder_of(location)
        artifact = artifact_in(folder)
        _check(asked, artifact, damages_in(folder, artifact.manifest), beside_in(folder))


@dataclass(frozen=True)
class _Asked:
    """What the options say."""

    location: str
    public_key: bytes | None
    write_job: Path | None


def _check(asked: _Asked, artifact: "Artifact", damages: "Iterable[Damage]", read: "Read") -> None:
    from finetune_cli.artifact.origin import tell_origin, write_job_to  # noqa: PLC0415
    from finetune_cli.artifact.telling import tell  # noqa: PLC0415
    from finetune_runner.provenance.checking import check  # noqa: PLC0415

    try:
        checked = check(artifact.manifest, read, asked.public_key)
    except ValueError as error:
        msg = f"--public-key can't be used: {error}"
        raise click.UsageError(msg) from error
    tell(asked.location, artifact, [*damages, *checked.damages])
    tell_origin(checked)
    if asked.write_job:
        write_job_to(asked.write_job, checked)
