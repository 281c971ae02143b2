"""Build an image unless one of the same content is there."""

import tomllib
from pathlib import Path

from images import base, context, disk, locking, places, storage, surroundings
from images.catalogue import Image
from images.talk import say, step


def reference(image: Image) -> str:
    """What the image of the current tree is called, built or not."""
    with context.snapshot(image) as folder:
        return name_of(image, folder)


def name_of(image: Image, folder: Path) -> str:
    return f"{image.repository}:{context.digest(folder, base.reference(), image.target)}"


def build(image: Image) -> str:
    """Return the reference of the image of the current tree, built now if need be."""
    with locking.one_at_a_time(image.name), context.snapshot(image) as folder:
        wanted = name_of(image, folder)
        if storage.exists(wanted):
            say(f"{wanted} is up to date")
            return wanted
        disk.require(places.cache_dir(), image.free_gigabytes, f"building {image.name}")
        base_image = base.ensure()
        try:
            with step(f"building {wanted}", image.expected), locking.using_storage():
                build_targets(image, folder, base_image, wanted)
        finally:
            storage.tidy(base_image, *([wanted] if storage.exists(wanted) else []))
        return wanted


def build_targets(image: Image, folder: Path, base_image: str, wanted: str) -> None:
    with surroundings.mounts() as mounts:
        if image.packages_target:
            bud(folder, base_image, mounts, image.packages_target, f"localhost/{image.packages_target}:latest")
        bud(folder, base_image, mounts, image.target, wanted)


def bud(folder: Path, base_image: str, mounts: list[str], target: str, tag: str) -> None:
    """One target; the name keeps its layers when unnamed ones are pruned."""
    storage.buildah(
        "bud", "--isolation", "chroot", "--layers", "--pull-never", *mounts,
        "--build-arg", f"BASE_IMAGE={base_image}", "--build-arg", f"VERSION={version(folder)}",
        "--target", target, "--tag", tag, folder,
    )  # fmt: skip


def version(folder: Path) -> str:
    return str(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"])
