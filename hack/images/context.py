"""What goes into an image, copied aside: the tag then names exactly what was built.

Someone may save a file while an image is built, so hash and build read the same copy.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images import places
from images.catalogue import Image

IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")
# Layers are compared by content and time: a fixed time keeps a mere `touch` out of the comparison.
FILE_TIME = 1_700_000_000


@contextmanager
def snapshot(image: Image) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="finetune-context-") as name:
        folder = Path(name)
        for path in image.inputs:
            copy(places.CHECKOUT / path, folder / path)
        settle(folder)
        yield folder


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=IGNORED)
    else:
        shutil.copy(source, target)


def settle(folder: Path) -> None:
    """Give everything the same time and mode, whatever the checkout's umask was."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (FILE_TIME, FILE_TIME))


def digest(folder: Path, *also: str) -> str:
    """A short hash over names and contents below ``folder``."""
    total = hashlib.sha256("\0".join(also).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    return total.hexdigest()[:12]
