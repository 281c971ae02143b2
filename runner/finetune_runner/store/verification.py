"""Whether a published artifact is what was published: its manifest against every file's size and digest."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.beside_names import BESIDE
from finetune_runner.store.damage import Damage
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.manifest import MANIFEST, Manifest, ManifestFile
from finetune_runner.store.object_store import ObjectInfo, ObjectStore
from finetune_runner.store.paths import place_below


@dataclass(frozen=True)
class Artifact:
    """A published artifact's manifest, and what else lies there."""

    manifest: Manifest
    extra: list[str]
    """Files that the manifest does not name, what is published beside every artifact left out."""


def artifact_in(folder: Path) -> Artifact:
    """The artifact in a folder of this machine.

    Raises:
        FineTuneError: ArtifactCorrupt, there is none.
    """
    file = folder / MANIFEST
    manifest = _manifest(file.read_bytes() if file.is_file() else None, str(file))
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Artifact(manifest, _extra(manifest, names))


def artifact_at(store: ObjectStore) -> Artifact:
    """The artifact in a bucket.

    Raises:
        FineTuneError: ArtifactCorrupt, there is none; AuthDenied, StoreUnavailable.
    """
    content = store.get(MANIFEST)
    manifest = _manifest(content.data if content else None, store.uri(MANIFEST))
    return Artifact(manifest, _extra(manifest, (info.key for info in store.list(""))))


def beside_in(folder: Path) -> Callable[[str], bytes | None]:
    """Reads what lies beside an artifact's files in a folder, by name."""
    return lambda name: (folder / name).read_bytes() if (folder / name).is_file() else None


def beside_at(store: ObjectStore) -> Callable[[str], bytes | None]:
    """Reads what lies beside an artifact's files in a bucket, by name."""

    def read(name: str) -> bytes | None:
        content = store.get(name)
        return content.data if content else None

    return read


def damages_in(folder: Path, manifest: Manifest) -> Iterator[Damage]:
    """What of an artifact in a folder is damaged."""
    yield from _of_the_manifest(manifest)
    for file in manifest.files:
        found = _place(folder, file)
        if found is None or not found.is_file():
            yield Damage(file.path, "is missing")
        else:
            yield from _of_the_file(found, file)


def damages_at(store: ObjectStore, manifest: Manifest, target: Path | None = None) -> Iterator[Damage]:
    """What of an artifact in a bucket is damaged; every file is read.

    Args:
        store: where it lies.
        manifest: its manifest.
        target: folder that the files are kept in; without one they are read and thrown away, one at a time.

    Raises:
        FineTuneError: AuthDenied, StoreUnavailable.
    """
    yield from _of_the_manifest(manifest)
    there = {info.key: info for info in store.list("")}
    for file in manifest.files:
        info = there.get(file.path)
        if info is None:
            yield Damage(file.path, "is missing")
        elif info.size != file.size:
            yield Damage(file.path, f"has {info.size} bytes instead of {file.size}")
        else:
            yield from _fetched(store, info, file, target)


def _fetched(store: ObjectStore, info: ObjectInfo, file: ManifestFile, target: Path | None) -> Iterator[Damage]:
    with tempfile.TemporaryDirectory() as scratch:
        local = _place(target or Path(scratch), file)
        if local is None or not store.download(info, local):
            yield Damage(file.path, "is missing, or changes while it is read")
        else:
            yield from _of_the_file(local, file)


def _of_the_manifest(manifest: Manifest) -> Iterator[Damage]:
    if not manifest.adds_up:
        yield Damage(MANIFEST, "its digest or its size is not that of the files it names")


def _of_the_file(found: Path, file: ManifestFile) -> Iterator[Damage]:
    size = found.stat().st_size
    if size != file.size:
        yield Damage(file.path, f"has {size} bytes instead of {file.size}")
        return
    digest = file_sha256(found)
    if digest != file.sha256:
        yield Damage(file.path, f"its sha256 is {digest} instead of {file.sha256}")


def _place(folder: Path, file: ManifestFile) -> Path | None:
    """Where a file lies; None for a name that leads out of the folder."""
    try:
        return place_below(folder, file.path)
    except FineTuneError:
        return None


def _extra(manifest: Manifest, names: Iterator[str]) -> list[str]:
    return sorted(set(names) - {file.path for file in manifest.files} - {MANIFEST, *BESIDE})


def _manifest(data: bytes | None, uri: str) -> Manifest:
    if data is None:
        remedy = "Check the location: a job's output has a manifest.json, which is written last."
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, f"there is no {uri}", remedy=remedy)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        remedy = "Publish the artifact again, with this version."
        raise FineTuneError(Reason.ARTIFACT_CORRUPT, f"{uri} is no manifest of ours", remedy=remedy) from error
