"""Remove everything this package made on the machine; clusters and uv's own cache are left alone."""

import shutil
from pathlib import Path

from images import places, storage
from images.shell import run
from images.talk import say

MOUNTS = Path("/proc/self/mountinfo")


def clean() -> None:
    if places.storage_dir().exists():
        storage.buildah("rm", "--all")
        storage.buildah("rmi", "--all", "--force")
        unmount(places.storage_dir())
    for folder in (places.storage_dir(), places.environments_dir(), places.tools_dir()):
        if folder.exists():
            say(f"removing {folder}")
            shutil.rmtree(folder)


def unmount(folder: Path) -> None:
    """The storage stays mounted on itself after the last build; inner mounts go first."""
    points = (Path(line.split()[4]) for line in MOUNTS.read_text().splitlines())
    for point in sorted((point for point in points if point.is_relative_to(folder)), reverse=True):
        run(["umount", point])
