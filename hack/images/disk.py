"""Refuse before anything changes when the disk is too small."""

import shutil
from pathlib import Path

from images.errors import ImagesError

GB = 10**9


def require(folder: Path, gigabytes: int, purpose: str) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < gigabytes * GB:
        raise ImagesError(
            f"{purpose} needs {gigabytes} GB free at {existing}, and there are {free / GB:.1f}: "
            "free some, or set FINETUNE_CACHE to a folder on a larger disk; nothing was changed"
        )
