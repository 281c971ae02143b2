"""buildah with a storage of its own, so that nobody else's images are seen or touched."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images import locking, places
from images.programs import require_packages
from images.shell import run, succeeds

CACHE_MOUNTS = "buildah-cache"
"""buildah's folder for them below TMPDIR; those of rootless users have their number behind it."""


def command(*arguments: str | Path) -> list[str]:
    folder = places.storage_dir()
    own = ("--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "overlay")
    return ["buildah", *map(str, (*own, *arguments))]


def environment() -> dict[str, str]:
    """Cache mounts (``RUN --mount=type=cache``) and scratch files go below TMPDIR."""
    scratch_dir().mkdir(parents=True, exist_ok=True)
    return {**os.environ, "TMPDIR": str(scratch_dir())}


def scratch_dir() -> Path:
    return places.storage_dir() / "tmp"


def clear_scratch() -> None:
    """Remove what builds that were killed have left: as much as their images, each time."""
    for left in scratch_dir().iterdir():
        if not left.name.startswith(CACHE_MOUNTS):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def buildah(*arguments: str | Path) -> str:
    require_packages("buildah")
    return run(command(*arguments), env=environment())


def exists(reference: str) -> bool:
    require_packages("buildah")
    return succeeds(command("inspect", "--type", "image", reference), env=environment())


def layers(reference: str) -> dict[str, int]:
    """Bytes of each layer of an image by its digest."""
    inspected = json.loads(buildah("inspect", "--type", "image", reference))
    return {layer["digest"]: layer["size"] for layer in json.loads(inspected["Manifest"])["layers"]}


def tags(repository: str) -> list[str]:
    """Every tagged reference of a repository in the storage."""
    listed = json.loads(buildah("images", "--json") or "null") or []
    names = [name for image in listed for name in image.get("names") or []]
    return [name for name in names if name.rpartition(":")[0] == repository]


def tidy(*kept: str) -> None:
    """Remove older tags of the images kept, then the layers, containers and scratch files that builds leave.

    Left to the next build when somebody else is building.
    """
    with locking.alone_in_storage() as alone:
        if not alone:
            return
        buildah("rm", "--all")
        for reference in kept:
            for tag in tags(reference.rpartition(":")[0]):
                if tag != reference:
                    buildah("rmi", tag)
        buildah("rmi", "--prune", "--force")
        clear_scratch()


@contextmanager
def mounted(reference: str) -> Iterator[Path]:
    """Where an image's file system can be read meanwhile."""
    with locking.using_storage():
        name = buildah("from", "--pull-never", reference).strip()
        try:
            yield Path(buildah("mount", name).strip())
        finally:
            buildah("rm", name)


@contextmanager
def scratch_container() -> Iterator[tuple[str, Path]]:
    """An empty container and where its file system is mounted; gone afterwards."""
    name = buildah("from", "scratch").strip()
    try:
        yield name, Path(buildah("mount", name).strip())
    finally:
        buildah("rm", name)
