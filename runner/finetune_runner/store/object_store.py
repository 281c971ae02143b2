"""What the runner needs of a bucket or a volume: small, so that both can keep its promises."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """An object as it stands: size in bytes; etag changes whenever the content does."""

    key: str
    size: int
    etag: str
    modified: float = field(default=0.0, compare=False)
    """When it was written, by the store's clock, in seconds since 1970; 0: not asked for."""


@dataclass(frozen=True)
class Content:
    """A small object, read whole."""

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Objects below one prefix; keys are relative to it, with slashes.

    Every method raises FineTuneError: AuthDenied, StoreUnavailable (worth a retry), or InvalidSpec for a bucket or
    volume that does not exist.
    """

    path: str
    """Place in the spec that names the store, for errors."""

    def uri(self, key: str) -> str:
        """Where an object lies, for people."""

    def check(self) -> None:
        """That the store exists and may be listed."""

    def head(self, key: str) -> ObjectInfo | None:
        """An object's size and etag; None where there is none."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose key starts with the prefix, in order of their keys."""

    def get(self, key: str) -> Content | None:
        """A small object's content; None where there is none."""

    def read(self, info: ObjectInfo, size: int) -> bytes | None:
        """An object's first bytes; None when it is gone or is no longer the one that `info` describes."""

    def download(self, info: ObjectInfo, target: Path) -> bool:
        """Writes an object into a file; False when it is gone or is no longer the one that `info` describes."""

    def upload(self, source: Path, key: str) -> None:
        """Writes a file of any size, replacing what is there."""

    def put(self, key: str, data: bytes) -> None:
        """Writes a small object, replacing what is there."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Writes a small object unless there is one: of several writers one gets True."""

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        """Replaces a small object that still has this etag; False when it has changed."""

    def copy_from(self, other: "ObjectStore", source: ObjectInfo, key: str, sha256: str) -> bool:
        """Copies an object without moving its bytes through this process, and has the store prove the digest.

        Returns False where that can't be done between these two (then download, verify and upload).
        """

    def delete(self, key: str) -> None:
        """Removes an object; nothing happens where there is none."""
