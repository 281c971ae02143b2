"""What a check of an artifact has found, for people."""

from collections.abc import Iterable

import click

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.beside_names import PROVENANCE
from finetune_runner.store.damage import Damage
from finetune_runner.store.verification import Artifact


def refuse(location: str, damages: Iterable[Damage]) -> None:
    """Names all damage there is.

    Raises:
        FineTuneError: ArtifactCorrupt, there is some.
    """
    damaged = set()
    for damage in damages:
        click.echo(str(damage), err=True)
        damaged.add(damage.path)
    if damaged == {PROVENANCE}:
        message = f"{location} is as its manifest says, but its provenance does not answer for it"
        remedy = "Ask its publisher: for the right key, or to sign it (spec.output.signing)."
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, message, remedy=remedy)
    if damaged:
        remedy = "Run the job again: it publishes what is committed in its store. Then look who else writes there."
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, f"{location} is not what was published", remedy=remedy)


def tell(location: str, artifact: Artifact, damages: Iterable[Damage]) -> None:
    """Names all damage, or says that there is none; files that are not the artifact's are named too.

    Raises:
        FineTuneError: ArtifactCorrupt, something is damaged.
    """
    for name in artifact.extra:
        click.echo(f"note: {name}: is not in the manifest", err=True)
    refuse(location, damages)
    manifest = artifact.manifest
    files = f"{len(manifest.files)} files, {manifest.size_bytes} bytes"
    click.echo(f"{location} is what was published: {files}, sha256:{manifest.digest}")
