"""Build an image unless one of the same content is there.

An image's dependencies are kept as an image of their own, whose layers it shares: without a
name they would go with the layers that a build leaves, and a code change would install anew.
"""

import hashlib
import tomllib
from pathlib import Path

from images import base, context, disk, dockerfile, locking, places, storage, surroundings
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
        below = dependencies_of(image, folder)
        require_disk(image, below)
        base_image = base.ensure()
        try:
            with locking.using_storage():
                build_layers(image, folder, base_image, below, wanted)
        finally:
            made = (reference for reference in (wanted, below) if reference and storage.exists(reference))
            storage.tidy(base_image, *made)
        return wanted


def dependencies_of(image: Image, folder: Path) -> str:
    """The reference of the image's dependencies; changes with what decides them, and not with our code."""
    if not image.dependencies:
        return ""
    stages = dockerfile.stages((folder / "Dockerfile").read_text(), image.dependencies.target)
    decisive = "\0".join((base.reference(), stages, (folder / image.dependencies.lock).read_text()))
    return f"{image.dependencies.repository}:{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"


def dependencies_are_built(image: Image) -> bool:
    """Whether a build of the current tree takes seconds."""
    below = dependencies_of(image, places.CHECKOUT)
    return not below or storage.exists(below)


def require_disk(image: Image, below: str) -> None:
    gigabytes = image.free_gigabytes
    if image.dependencies and not storage.exists(below):
        gigabytes += image.dependencies.free_gigabytes
    disk.require(places.cache_dir(), gigabytes, f"building {image.name}")


def build_layers(image: Image, folder: Path, base_image: str, below: str, wanted: str) -> None:
    """The dependencies unless they are there, then our code on them."""
    arguments = {"BASE_IMAGE": base_image}
    if image.dependencies:
        if not storage.exists(below):
            with step(f"building {below}", image.dependencies.expected):
                bud(folder, image.dependencies.target, below, arguments)
        arguments[image.dependencies.argument] = below
    with step(f"building {wanted}", image.expected):
        bud(folder, image.target, wanted, {**arguments, "VERSION": version(folder)})


def bud(folder: Path, target: str, tag: str, arguments: dict[str, str]) -> None:
    """One target; the name keeps its layers when unnamed ones are pruned."""
    values = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    with surroundings.mounts() as mounts:
        storage.buildah(
            "bud", "--isolation", "chroot", "--layers", "--pull-never", *mounts, *values,
            "--target", target, "--tag", tag, folder,
        )  # fmt: skip


def version(folder: Path) -> str:
    return str(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"])
