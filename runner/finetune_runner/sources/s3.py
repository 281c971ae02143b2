"""Models and rows in a bucket: an object, or all objects below a prefix."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from finetune_api.failures import FineTuneError
from finetune_api.resource.locations import S3Location
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
from finetune_runner.store.object_store import ObjectInfo, ObjectStore
from finetune_runner.store.opening import open_s3
from finetune_runner.store.paths import below
from finetune_runner.store.patience import PatientStore


class S3Source:
    """Satisfies ListedSource. Files are identified by key, ETag and size, and fetched with If-Match."""

    def __init__(self, location: S3Location, *, kind: Kind, layout: PodLayout, path: str) -> None:
        self.path = path
        self.kind = kind
        self.location = location
        self.uri = location.uri
        bucket = location.model_copy(update={"uri": f"s3://{location.bucket}"})
        store = open_s3(bucket, layout, path)
        self.store: ObjectStore = PatientStore(store)
        self.answered: ObjectStore = PatientStore(store, proven=True)
        """The same, for what is pinned: then it has answered before, if to another process of the job."""

    def names(self) -> list[str]:
        single = self._single()
        names = [file.path for file in ([single] if single else self._below())]
        if not names:
            raise self._missing()
        return names

    def resolve(self, wanted: Wanted) -> Pinned:
        single = self._single()
        there = [single] if single else list(self._below())
        files = [file for file in there if single or wanted(file.path)]
        if not there:
            raise self._missing()
        if not files:
            raise nothing_wanted(self.kind, self.uri, [file.path for file in there], self.path)
        if odd := _without_place(files):
            message = f"{self.uri} holds an object {odd!r}, which would have no file of its own"
            raise not_found(self.kind, message, remedy="Rename or remove the object.", path=f"{self.path}.uri")
        return Pinned(uri=self.location.uri, digest=identity(files), files=files, single=bool(single))

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:
        for file in files:
            info = ObjectInfo(key=self._key(pinned, file), size=file.size, etag=file.etag)
            if not self.answered.download(info, below(target, file.path)):
                raise changed(self.kind, f"{self.location.uri} ({file.path})", f"{self.path}.uri")

    def read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:
        data = self.answered.read(ObjectInfo(key=self._key(pinned, file), size=file.size, etag=file.etag), size)
        if data is None:
            raise changed(self.kind, f"{self.location.uri} ({file.path})", f"{self.path}.uri")
        return data

    def _single(self) -> PinnedFile | None:
        """The object at the key itself: rows, or a model that is one file."""
        key = self.location.key
        whole_file = self.kind == "dataset" or key.endswith(".gguf")
        if not whole_file or not key or self.location.uri.endswith("/"):
            return None
        info = self.store.head(key)
        return PinnedFile(path=PurePosixPath(key).name, size=info.size, etag=info.etag) if info else None

    def _below(self) -> Iterator[PinnedFile]:
        prefix = f"{self.location.key}/" if self.location.key else ""
        for info in self.store.list(prefix):
            if not info.key.endswith("/"):  # what consoles leave behind as a "folder"
                yield PinnedFile(path=info.key.removeprefix(prefix), size=info.size, etag=info.etag)

    def _key(self, pinned: Pinned, file: PinnedFile) -> str:
        return self.location.key if pinned.single else f"{self.location.key}/{file.path}".lstrip("/")

    def _missing(self) -> FineTuneError:
        what = (
            "a directory with a model (config.json, MLmodel or a .gguf file)"
            if self.kind == "model"
            else "a file of rows, such as rows.jsonl,"
        )
        return not_found(
            self.kind,
            f"there is no {self.kind} at {self.location.uri}",
            remedy=f"Put {what} there, or correct the URI.",
            path=f"{self.path}.uri",
        )


def _without_place(files: Iterable[PinnedFile]) -> str:
    """The first whose key leaves it no place of its own among files, as a doubled slash may; empty: there is none."""
    taken: set[PurePosixPath] = set()
    for file in files:
        place = PurePosixPath(file.path)
        if place.is_absolute() or ".." in place.parts or place in taken:
            return file.path
        taken.add(place)
    return ""
