"""manifest.json: what makes a set of files an output. Without it they do not exist."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model
from finetune_runner.store.digests import directory_digest, file_sha256

MANIFEST = "manifest.json"


class ManifestFile(Model):
    """A file of an output; path with slashes, relative to the output."""

    path: str
    sha256: str
    size: int = Field(ge=0)


class Manifest(Model):
    """An output: its files, what it was made from, and the figures that were measured on the way."""

    version: Literal[1] = 1
    kind: str
    """The pass's variant, such as lora."""
    pass_version: int
    attempt: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")] = ""
    """Folder below attempts/ that holds the files; empty for a published artifact, whose files lie beside."""
    files: list[ManifestFile]
    digest: str
    """sha256 (hex) over the files' digests, see digests.directory_digest."""
    size_bytes: int
    inputs: dict[str, str]
    """Role (input, base) to the digest of what it was made from."""
    metrics: dict[str, str] = Field(default_factory=dict)
    intervals: dict[str, tuple[str, str]] = Field(default_factory=dict)
    """Of figures that have one: the ends of the 95 % confidence interval."""
    verified_on: str = ""
    """Execution provider that an ONNX model was seen to run on: the output, or what an evaluation has measured."""
    libraries: dict[str, str] = Field(default_factory=dict)
    """Libraries that were installed in another version than the one the cache key names; of a plugin: its own version,
    and those of the libraries it names."""
    created_time: str
    job: str = ""
    """Name of the job that made it; empty: not known."""

    @property
    def adds_up(self) -> bool:
        """Whether its digest and size are those of the files that it names."""
        return self.digest == _digest(self.files) and self.size_bytes == sum(file.size for file in self.files)

    def encode(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


def files_of(folder: Path) -> list[ManifestFile]:
    """Every file below a folder, in order of path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        ManifestFile(path=path.relative_to(folder).as_posix(), sha256=file_sha256(path), size=path.stat().st_size)
        for path in paths
    ]


def manifest_of(
    *,
    files: Sequence[ManifestFile],
    kind: str,
    pass_version: int,
    attempt: str,
    inputs: Mapping[str, str],
    metrics: Mapping[str, str],
    libraries: Mapping[str, str],
    intervals: Mapping[str, tuple[str, str]] | None = None,
    verified_on: str = "",
    job: str = "",
) -> Manifest:
    return Manifest(
        kind=kind,
        pass_version=pass_version,
        attempt=attempt,
        files=list(files),
        digest=_digest(files),
        size_bytes=sum(file.size for file in files),
        inputs=dict(inputs),
        metrics=dict(metrics),
        intervals=dict(intervals or {}),
        verified_on=verified_on,
        libraries=dict(libraries),
        created_time=datetime.now(UTC).isoformat(timespec="seconds"),
        job=job,
    )


def _digest(files: Sequence[ManifestFile]) -> str:
    return directory_digest((file.path, file.sha256) for file in files)
