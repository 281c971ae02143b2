"""Remove everything this package made on the machine; clusters and uv's own cache are left alone."""

import shutil
from pathlib import Path

from images import locking, places, storage
from images.errors import ImagesError
from images.shell import run
from images.talk import say

MOUNTS = Path("/proc/self/mountinfo")


def clean() -> None:
    with locking.alone_in_storage() as alone:
        if not alone:
            raise ImagesError("somebody is building or loading an image: try again when that has ended")
        empty_storage()
        for folder in (places.storage_dir(), places.environments_dir(), places.tools_dir()):
            if folder.exists():
                say(f"removing {folder}")
                shutil.rmtree(folder)


def empty_storage() -> None:
    if places.storage_dir().exists():
        storage.buildah("rm", "--all")
        storage.buildah("rmi", "--all", "--force")
        unmount(places.storage_dir())


def unmount(folder: Path) -> None:
    """The storage stays mounted on itself after the last build; inner mounts go first."""
    points = (Path(line.split()[4]) for line in MOUNTS.read_text().splitlines())
    for point in sorted((point for point in points if point.is_relative_to(folder)), reverse=True):
        run(["umount", point])
