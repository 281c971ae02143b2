"""Where the files that a config names will be: in a claim that the user fills, or uploaded to a bucket. Pure."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

CLAIM = "olive-files"
"""Stands for the folder that holds the files."""
FileKind = Literal["file", "folder", ""]


class Files(Protocol):
    """The files beside a config; paths are relative to its folder."""

    def kind(self, path: str) -> FileKind:
        """What lies there; empty: nothing."""

    def matching(self, pattern: str) -> list[str]:
        """Paths that a glob pattern matches, in order."""

    def text(self, path: str) -> str | None:
        """A file's text; None where it can't be read."""


@dataclass(frozen=True)
class Bucket:
    """Where files are uploaded."""

    uri: str
    """s3://bucket/prefix, without a slash at its end."""
    access: Mapping[str, Any]
    """Further fields of an S3Location."""


@dataclass(frozen=True)
class Upload:
    """A file or a folder, and where it goes."""

    path: str
    uri: str


@dataclass
class Places:
    """Gives each file its place, and remembers what there is to upload."""

    bucket: Bucket | None
    uploads: list[Upload] = field(default_factory=list)

    def single(self, path: str) -> dict[str, Any]:
        """A source for a file or a folder."""
        if self.bucket is None:
            return {"volume": {"claimName": CLAIM, "path": inside(path)}}
        uri = f"{self.bucket.uri}/{inside(path)}"
        self._add(Upload(path, uri))
        return self.location(uri)

    def several(self, paths: Sequence[str], name: str) -> dict[str, Any]:
        """A source for several files, in a folder of their own."""
        if self.bucket is None:
            return {"volume": {"claimName": CLAIM, "path": name}}
        uri = f"{self.bucket.uri}/{name}"
        for number, path in enumerate(paths):
            self._add(Upload(path, f"{uri}/{number:03}-{posixpath.basename(inside(path))}"))
        return self.location(uri)

    def location(self, uri: str) -> dict[str, Any]:
        access = dict(self.bucket.access) if self.bucket else {}
        return {"s3": {"uri": uri, **access}}

    def _add(self, upload: Upload) -> None:
        if upload not in self.uploads:
            self.uploads.append(upload)


def inside(path: str) -> str:
    """A path without what leads out of a folder: ../models/phi → models/phi."""
    slashed = re.sub(r"^[A-Za-z]:", "", path.replace("\\", "/"))
    parts = [part for part in posixpath.normpath(slashed).split("/") if part not in ("", ".", "..", "~")]
    return "/".join(parts) or "files"


def leads_out(path: str) -> bool:
    """Whether a path lies outside of the config's folder."""
    slashed = path.replace("\\", "/")
    return posixpath.normpath(slashed).startswith(("..", "/", "~")) or re.match(r"[A-Za-z]:", slashed) is not None
