"""An artifact on this machine, verified: where it lies, or in a cache of those that were downloaded."""

import shutil
import tempfile
from itertools import chain
from pathlib import Path

import click

from finetune_cli.artifact.location import folder_of, is_remote, opened
from finetune_cli.artifact.telling import refuse
from finetune_runner.store.damage import Damage
from finetune_runner.store.manifest import MANIFEST, Manifest
from finetune_runner.store.object_store import ObjectStore
from finetune_runner.store.verification import artifact_at, artifact_in, damages_at, damages_in


def on_this_machine(location: str, endpoint: str, cache: Path) -> Path:
    """The folder of an artifact that is what was published.

    Args:
        location: s3://bucket/prefix, or a folder.
        endpoint: URL of an S3-compatible service, or empty.
        cache: folder that downloads are kept in, each by its digest.

    Raises:
        UsageError: it is no location.
        FineTuneError: ArtifactCorrupt, after all that is damaged was named; AuthDenied, StoreUnavailable.
    """
    if is_remote(location):
        with opened(location, endpoint) as store:
            return _cached(store, artifact_at(store).manifest, location, cache)
    folder = folder_of(location)
    found = artifact_in(folder)
    added = [Damage(name, "is not part of the artifact") for name in found.extra]
    refuse(location, chain(damages_in(folder, found.manifest), added))
    return folder


def _cached(store: ObjectStore, manifest: Manifest, location: str, cache: Path) -> Path:
    folder = cache / manifest.digest
    if folder.is_dir() and next(damages_in(folder, manifest), None) is None:
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    click.echo(f"downloading {manifest.size_bytes} bytes to {folder}", err=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        target = Path(scratch) / "artifact"
        target.mkdir()
        refuse(location, damages_at(store, manifest, target))
        (target / MANIFEST).write_bytes(manifest.encode())
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)
    return folder
