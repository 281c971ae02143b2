"""finetune verify."""

import click

from finetune_cli.options import ENDPOINT


@click.command()
@click.argument("location")
@ENDPOINT
def command(*, location: str, endpoint: str) -> None:
    """Check a published artifact: every file against the sizes and digests of its manifest.

    LOCATION is a job's output: s3://bucket/prefix, or a folder. Every file is read. Ends with 50 (ArtifactCorrupt) when
    anything is damaged, and names it. Credentials for S3 are those of the AWS tools (AWS_ACCESS_KEY_ID, AWS_PROFILE…).
    """
    from finetune_cli.artifact.location import folder_of, is_remote, opened  # noqa: PLC0415
    from finetune_cli.artifact.telling import tell  # noqa: PLC0415
    from finetune_runner.store.verification import (  # noqa: PLC0415
        artifact_at,
        artifact_in,
        damages_at,
        damages_in,
    )

    if is_remote(location):
        with opened(location, endpoint) as store:
            artifact = artifact_at(store)
            tell(location, artifact, damages_at(store, artifact.manifest))
    else:
        folder = folder_of(location)
        artifact = artifact_in(folder)
        tell(location, artifact, damages_in(folder, artifact.manifest))
