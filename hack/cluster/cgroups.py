"""The parent of a cluster's pods in every cgroup hierarchy, in version 1 as in version 2."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.settings import Cluster

MOUNT = Path("/sys/fs/cgroup")


def ensure(cluster: Cluster) -> None:
    """The kubelet wants its root to exist; a new cpuset is empty and would hold no process."""
    for hierarchy in _hierarchies():
        folder = hierarchy / cluster.cgroup
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / name).exists() and not (folder / name).read_text().strip():
                (folder / name).write_text((hierarchy / name).read_text())


def processes(cluster: Cluster) -> list[int]:
    """Everything that runs in the cluster's pods."""
    found = {
        int(number)
        for hierarchy in _hierarchies()
        for file in (hierarchy / cluster.cgroup).rglob("cgroup.procs")
        for number in _lines(file)
    }
    return sorted(found)


def remove(cluster: Cluster) -> None:
    """Children before parents; a group whose last process is still going away stays for the next time."""
    for hierarchy in _hierarchies():
        groups = [hierarchy / cluster.cgroup, *(hierarchy / cluster.cgroup).rglob("*/")]
        for folder in sorted(groups, key=lambda path: len(path.parts), reverse=True):
            _remove(folder)


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise


def _lines(file: Path) -> list[str]:
    """A group may go away while it is read."""
    try:
        return file.read_text().split()
    except OSError:
        return []


def _hierarchies() -> list[Path]:
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    return [folder for folder in MOUNT.iterdir() if (folder / "cgroup.procs").exists()]
