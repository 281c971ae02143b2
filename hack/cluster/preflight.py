"""Checks the machine before anything on it is changed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from cluster import settings
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
BUILD_DISK_GIB = 12
UP_DISK_GIB = 2


def check(disk_gib: int, go: bool = True) -> list[str]:
    """What was found, a line each; ClusterError lists everything that must change first."""
    findings = [_system(), _processor(), _user(), _python(), _disk(disk_gib), *([_go()] if go else [])]
    wrong = [f"- {text}" for good, text in findings if not good]
    if wrong:
        raise ClusterError("this machine can't have the cluster yet:\n" + "\n".join(wrong))
    return [text for _, text in findings]


def _system() -> tuple[bool, str]:
    release = _release()
    found = f"{release.get('ID', platform.system())} {release.get('VERSION_ID', '')}".strip()
    if found == "debian 12":
        return True, "Debian 12"
    return False, f"{found}: the packages' versions are Debian 12's; use a Debian 12 machine"


def _release() -> dict[str, str]:
    """Nothing of a system that is no Linux, or with a Python older than 3.10."""
    try:
        return platform.freedesktop_os_release()
    except (OSError, AttributeError):
        return {}


def _processor() -> tuple[bool, str]:
    found = platform.machine()
    return found == "x86_64", found if found == "x86_64" else f"{found}: the images are x86_64's; use such a machine"


def _user() -> tuple[bool, str]:
    if os.geteuid() == 0:
        return True, "root"
    return False, "not root: network namespaces and mounts need it; run with sudo -E"


def _python() -> tuple[bool, str]:
    found = platform.python_version()
    if sys.version_info >= (3, 11):  # noqa: UP036 - this very line is for those who have an older one
        return True, f"Python {found}"
    return False, f"Python {found}: 3.11 or later is needed; run with /usr/bin/python3"


def _go() -> tuple[bool, str]:
    if not shutil.which("go"):
        return False, "no go on the path: install Go 1.26 or later and add its bin folder to PATH"
    written = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"go(\d+)\.(\d+)", written)
    if numbers and (int(numbers[1]), int(numbers[2])) >= (1, 26):
        return True, written.strip()
    return False, f"{written.strip() or 'go of unknown version'}: Go 1.26 or later is needed"


def _disk(wanted_gib: int) -> tuple[bool, str]:
    """The cache and the state may be on two disks: the fuller one counts."""
    folders = [_existing(settings.cache_dir()), _existing(settings.state_dir())]
    free, folder = min((shutil.disk_usage(folder).free, folder) for folder in folders)
    found = f"{free / GIB:.0f} GiB free at {folder}"
    if free >= wanted_gib * GIB:
        return True, found
    return False, f"{found}, {wanted_gib} needed: free some, or set FINETUNE_CACHE and FINETUNE_STATE"


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
