"""Unmounts what pods and the runtime left below a folder."""

from __future__ import annotations

from pathlib import Path

from cluster import shell


def unmount_below(*folders: Path) -> None:
    """The deepest first; lazily, since a dying process may still hold one."""
    for mount in sorted(_below(folders), key=len, reverse=True):
        shell.succeeds("umount", "--lazy", mount)


def _below(folders: tuple[Path, ...]) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]
