"""Where things live; everything this package makes is below one cache folder."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Shared by every checkout: names in it are hashes of what made them."""
    return Path(os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache/finetune-operator")


def storage_dir() -> Path:
    """A storage for buildah apart from the machine's own under /var/lib/containers."""
    return cache_dir() / "buildah"


def environments_dir() -> Path:
    """Machine-learning environments, one folder per lock."""
    return cache_dir() / "ml-env"


def tools_dir() -> Path:
    """What is installed privately when the machine lacks it."""
    return cache_dir() / "images-tools"


def locks_dir() -> Path:
    return cache_dir() / "images-locks"
