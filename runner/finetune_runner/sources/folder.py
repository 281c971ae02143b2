"""Models and rows in a mounted folder: a volume's or a config map's."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

AWAY = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN)
"""What a mounted file system answers whose server or disk does not."""
OF_THE_FILE_SYSTEM = "lost+found"
"""A folder that ext4 makes at its root, and that nobody else may read."""


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
        with self._mapped():
            names = [name for name, _ in self._found()]
        if not names:
            raise self.missing
        return names

    def resolve(self, wanted: Wanted) -> Pinned:
        names = self.names()
        with self._mapped():
            single = self.place.is_file()
            files = [self._pinned(name, file) for name, file in self._found() if single or wanted(name)]
        if not files:
            raise nothing_wanted(self.kind, self.uri, names, self.path)
        return Pinned(uri=self.uri, digest=identity(files), files=files, single=single)

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:  # noqa: ARG002
        with self._mapped():
            there = dict(self._found())
            for file in files:
                copy = below(target, file.path)
                if file.path not in there:
                    raise self._changed(file)
                shutil.copyfile(there[file.path], copy)
                if file_sha256(copy) != file.sha256:
                    raise self._changed(file)

    def read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:  # noqa: ARG002
        with self._mapped():
            there = dict(self._found()).get(file.path)
            if there is None or there.stat().st_size != file.size:
                raise self._changed(file)
            with there.open("rb") as opened:
                return opened.read(size)

    def _found(self) -> Iterator[tuple[str, Path]]:
        """The files by name.

        Raises:
            FineTuneError: InvalidSpec, when one is a link out of the mount.
        """
        if self.place.is_file():
            yield self.place.name, linked_within(self.mount, self.place, self.path)
        elif self.place.is_dir():
            for file in self._below(self.place, ()):
                yield file.relative_to(self.place).as_posix(), file

    def _below(self, folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
        """The files below a folder, in order of their names. Links are followed, but for those that lead back up."""
        real = linked_within(self.mount, folder, self.path).resolve()
        if real in above or folder.name == OF_THE_FILE_SYSTEM:
            return
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                yield from self._below(path, (*above, real))
            elif path.is_file():
                yield linked_within(self.mount, path, self.path)

    def _pinned(self, name: str, file: Path) -> PinnedFile:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            message = f"the name of {name!r} in {self.uri} is not UTF-8"
            raise not_found(self.kind, message, remedy="Rename the file.", path=self.path) from error
        return PinnedFile(path=name, size=file.stat().st_size, sha256=file_sha256(file))

    def _changed(self, file: PinnedFile) -> FineTuneError:
        return changed(self.kind, f"{self.uri} ({file.path})", self.path)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            failure = self._meaning(error)
            if failure is None:
                raise
            raise failure from error

    def _meaning(self, error: OSError) -> FineTuneError | None:
        """The failure that the mounted file system's answer is; None for what is another's, such as scratch space."""
        file = Path(os.fsdecode(error.filename)) if error.filename else self.place
        if not file.is_relative_to(self.mount):
            return None
        name = file.relative_to(self.mount).as_posix()
        if isinstance(error, FileNotFoundError):
            return changed(self.kind, f"{self.uri} ({name})", self.path)
        message = f"{self.uri} can't be read: {error.strerror} at {name}"
        if isinstance(error, PermissionError):
            remedy = f"The pod runs as user {os.geteuid()}; let it, or the pod's fsGroup, read all that lies there."
            return FineTuneError(Reason.AUTH_DENIED, message, remedy=remedy, path=self.path)
        if error.errno in AWAY:
            return FineTuneError(Reason.STORE_UNAVAILABLE, message, remedy="Check the volume.", path=self.path)
        return None


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
