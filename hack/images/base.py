"""The base image, made from Debian packages: it stands in for python:3.12-slim, which needs a registry."""

import hashlib
import json
import shutil
from pathlib import Path

from images import disk, locking, places, storage
from images.programs import require_packages
from images.shell import run
from images.talk import step

SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
# debootstrap copies resolv.conf and hostname and notes the archive of this machine; /dev is the container runtime's.
REMOVED = (
    "etc/resolv.conf", "etc/hostname", "etc/apt/sources.list",
    "dev/*", "var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*",
    "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*",
)  # fmt: skip
RECIPE_VERSION = 1


def reference() -> str:
    """The image's name, which changes with its recipe only."""
    recipe = json.dumps([SUITE, PACKAGES, REMOVED, RECIPE_VERSION])
    return f"localhost/finetune-base:{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure() -> str:
    """Make the base image unless it is there; return its reference."""
    wanted = reference()
    with locking.one_at_a_time("base"), locking.using_storage():
        if not storage.exists(wanted):
            disk.require(places.cache_dir(), 2, "the base image")
            require_packages("debootstrap")
            with step(f"making the base image {wanted}", "a minute or two"):
                make(wanted)
    return wanted


def make(wanted: str) -> None:
    with storage.scratch_container() as (name, root):
        bootstrap(root)
        trim(root)
        storage.buildah("config", "--cmd", "python3", name)
        storage.buildah("commit", "--quiet", "--disable-compression", name, wanted)


def bootstrap(root: Path) -> None:
    include = f"--include={','.join(PACKAGES)}"
    run(["debootstrap", "--variant=minbase", include, SUITE, root, *archive_of_this_machine()])


def archive_of_this_machine() -> list[str]:
    """Where the machine's own apt finds the suite, which may reach a mirror only; else debootstrap's default."""
    sites = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(SITE)"])
    found = [line.split()[2] for line in sites.splitlines() if line.startswith(f"{SUITE} main ")]
    return found[:1]


def trim(root: Path) -> None:
    """Take away what no container reads; the packages' copyright files stay."""
    for pattern in REMOVED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in (root / "usr/share/doc").rglob("*"):
        if not path.is_dir() and path.name != "copyright":
            path.unlink()
