"""Models and rows in a mounted folder: a volume's or a config map's."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import ConfigMapKey, VolumeLocation
from finetune_runner.layout import PodLayout
from finetune_runner.sources.source import (
    Kind,
    Pinned,
    PinnedFile,
    Wanted,
    changed,
    identity,
    not_found,
    nothing_wanted,
)
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.paths import below, linked_within


class FolderSource:
    """Satisfies ListedSource. Files are identified by their content."""

    def __init__(self, place: Path, *, mount: Path, uri: str, kind: Kind, path: str, missing: FineTuneError) -> None:
        """place: a file, or a folder, within the mount. missing: the error when it isn't there."""
        self.mount = mount
        self.path = path
        self.kind = kind
        self.place = place
        self.uri = uri
        self.missing = missing

    def names(self) -> list[str]:
        names = [name for name, _ in self._found()]
        if not names:
            raise self.missing
        return names

    def resolve(self, wanted: Wanted) -> Pinned:
        single = self.place.is_file()
        names = self.names()
        files = [_pinned(name, file) for name, file in self._found() if single or wanted(name)]
        if not files:
            raise nothing_wanted(self.kind, self.uri, names, self.path)
        return Pinned(uri=self.uri, digest=identity(files), files=files, single=single)

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:  # noqa: ARG002
        there = dict(self._found())
        for file in files:
            copy = below(target, file.path)
            if file.path not in there:
                raise changed(self.kind, f"{self.uri} ({file.path})", self.path)
            shutil.copyfile(there[file.path], copy)
            if file_sha256(copy) != file.sha256:
                raise changed(self.kind, f"{self.uri} ({file.path})", self.path)

    def read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:  # noqa: ARG002
        there = dict(self._found()).get(file.path)
        if there is None or there.stat().st_size != file.size:
            raise changed(self.kind, f"{self.uri} ({file.path})", self.path)
        with there.open("rb") as opened:
            return opened.read(size)

    def _found(self) -> Iterator[tuple[str, Path]]:
        """The files by name.

        Raises:
            FineTuneError: InvalidSpec, when one is a link out of the mount.
        """
        if self.place.is_file():
            yield self.place.name, linked_within(self.mount, self.place, self.path)
            return
        for file in sorted(self.place.rglob("*")):
            if file.is_file():
                yield file.relative_to(self.place).as_posix(), linked_within(self.mount, file, self.path)


def _pinned(name: str, file: Path) -> PinnedFile:
    return PinnedFile(path=name, size=file.stat().st_size, sha256=file_sha256(file))


def volume_source(location: VolumeLocation, *, kind: Kind, layout: PodLayout, path: str) -> FolderSource:
    mount = layout.volumes / location.claim_name
    uri = f"volume://{location.claim_name}/{location.path}".rstrip("/")
    missing = not_found(
        kind,
        f"there is no {kind} at {location.path or '/'} in volume claim {location.claim_name!r}",
        remedy="Check that the claim exists and that the path in it is right.",
        path=f"{path}.path" if mount.is_dir() else f"{path}.claimName",
    )
    return FolderSource(mount / location.path, mount=mount, uri=uri, kind=kind, path=path, missing=missing)


def config_map_source(reference: ConfigMapKey, *, layout: PodLayout, path: str) -> FolderSource:
    folder = layout.config_maps / reference.name
    missing = FineTuneError(
        Reason.DATASET_INVALID,
        f"config map {reference.name!r} has no key {reference.key!r}"
        if folder.is_dir() and any(folder.iterdir())
        else f"there is no config map {reference.name!r} in the job's namespace",
        remedy=f"Create config map {reference.name!r} with the key {reference.key!r}, then create the job anew.",
        path=path,
    )
    uri = f"configmap://{reference.name}/{reference.key}"
    return FolderSource(folder / reference.key, mount=folder, uri=uri, kind="dataset", path=path, missing=missing)
