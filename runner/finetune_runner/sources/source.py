"""What the runner needs of a place that models and rows come from."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from finetune_api.cache_key import digest_of
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.base import Model

Kind = Literal["model", "dataset"]
SHOWN = 5
"""Names of files in an error."""
Wanted = Callable[[str], bool]
"""Whether a file, by its path in the source, is of interest."""


class PinnedFile(Model):
    """A file as it stood in prepare; what identifies it depends on the source."""

    path: str
    size: int = Field(ge=0)
    etag: str = ""
    sha256: str = ""


class Pinned(Model):
    """A source as it stood in prepare: what stages must find again."""

    uri: str
    digest: str
    """sha256 (hex) over what identifies the content."""
    revision: str = ""
    """Commit, where the source has such a thing."""
    files: list[PinnedFile]
    single: bool = False
    """The location is a file itself, not a folder; then files holds it under its own name."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)


class Source(Protocol):
    """A place with files. All methods raise FineTuneError."""

    path: str
    """Place in the spec, such as spec.inputModel.source.s3."""

    def resolve(self, wanted: Wanted) -> Pinned:
        """The wanted files and what identifies them, downloading as little as possible.

        Where the location is a file itself it is wanted whatever its name.

        Raises:
            FineTuneError: ModelNotFound or DatasetInvalid, when there is no such place.
        """

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:
        """Writes files below a folder, as they stood in prepare.

        Raises:
            FineTuneError: ModelNotFound or DatasetInvalid, when one has changed since.
        """


class ListedSource(Source, Protocol):
    """A place whose files can be looked at before any is pinned."""

    uri: str
    """The place itself, for people."""

    def names(self) -> list[str]:
        """Every file there, by its path in the source; nothing is pinned yet.

        Raises:
            FineTuneError: ModelNotFound or DatasetInvalid, when there is no such place.
        """

    def read(self, pinned: Pinned, file: PinnedFile, size: int) -> bytes:
        """The first `size` bytes of a file as it stood in prepare; fewer where it is shorter.

        Raises:
            FineTuneError: ModelNotFound or DatasetInvalid, when it has changed since.
        """


def not_found(kind: Kind, message: str, *, remedy: str, path: str) -> FineTuneError:
    """A source that isn't there."""
    return FineTuneError(_reason(kind), message, remedy=remedy, path=path)


def unsupported(message: str, remedy: str, path: str) -> FineTuneError:
    """A model in a form that is not read."""
    return FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=path)


def nothing_wanted(kind: Kind, uri: str, names: Sequence[str], path: str) -> FineTuneError:
    """A place with files, none of which is asked for."""
    shown = ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
    return FineTuneError(
        _reason(kind),
        f"none of the files at {uri} is asked for: there is {shown}",
        remedy="Choose by files and format, or correct the location.",
        path=path,
    )


def changed(kind: Kind, uri: str, path: str) -> FineTuneError:
    """A file that isn't any more what prepare saw."""
    return FineTuneError(
        _reason(kind),
        f"{uri} has changed since the job was prepared",
        remedy="Create the job anew to use what is there now; finished passes that are not affected are reused.",
        path=path,
    )


def identity(files: Iterable[PinnedFile]) -> str:
    """A digest over files that identify themselves."""
    return digest_of(sorted([file.path, file.etag, file.size, file.sha256] for file in files))


def _reason(kind: Kind) -> Reason:
    return Reason.MODEL_NOT_FOUND if kind == "model" else Reason.DATASET_INVALID
