"""The command line: one function per command, each a few lines over the other modules."""

import argparse
import json
from pathlib import Path

from images import base, building, checking, cleaning, loading, ml_env, places, sbom, storage, volume
from images.catalogue import IMAGES
from images.errors import ImagesError
from images.talk import say


def main() -> int:
    chosen = parser().parse_args()
    try:
        chosen.run(chosen)
    except ImagesError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next build tidies up")
        return 130
    return 0


def make_base(_: argparse.Namespace) -> None:
    print(base.ensure())


def build(chosen: argparse.Namespace) -> None:
    print(building.build(IMAGES[chosen.command]))


def check(chosen: argparse.Namespace) -> None:
    for name in chosen.image:
        reference = building.build(IMAGES[name])
        checking.check(name, reference)
        print(reference)


def write_bills(chosen: argparse.Namespace) -> None:
    sbom.require_library()
    chosen.output.mkdir(parents=True, exist_ok=True)
    for name in chosen.image:
        reference = building.build(IMAGES[name])
        with storage.mounted(reference) as root:
            text = sbom.bill(name, reference, root)
        file = chosen.output / f"{name}.cdx.json"
        file.write_text(text)
        print(file)


def make_environment(_: argparse.Namespace) -> None:
    print(ml_env.ensure())


def print_volume(chosen: argparse.Namespace) -> None:
    print(volume.manifest(ml_env.ensure(), chosen.namespace), end="")


def load(chosen: argparse.Namespace) -> None:
    containerd = loading.containerd_of(chosen.cluster)
    for name in chosen.image:
        reference = building.build(IMAGES[name])
        loading.load(IMAGES[name], reference, containerd)
        print(reference)


def references(chosen: argparse.Namespace) -> None:
    found = {"base": base.reference(), **{name: building.reference(image) for name, image in IMAGES.items()}}
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(f"{name:12} {reference}" for name, reference in found.items()))


def clean(_: argparse.Namespace) -> None:
    cleaning.clean()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python3 hack/images", description="Build images without an engine.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("base", make_base, "make the base image from Debian packages; print its reference")
    command("operator", build, "build the operator's image; print its reference")
    command("thin-runner", build, "build the runner without its environment; print its reference")
    command("runner", build, "build the full runner (the first time 6 to 10 minutes, 39 GB free); print its reference")
    command("runner-cuda", build, "build the runner that runs artifacts for CUDA too; print its reference")
    command("ml-env", make_environment, "make the environment for thin-runner; print its folder")
    with_namespace = command("ml-env-volume", print_volume, "print the environment's volume and claim as YAML")
    with_namespace.add_argument("--namespace", required=True)
    to_cluster = command("load", load, "build images and put them into a cluster; print their references")
    to_cluster.add_argument("--cluster", required=True, metavar="NAME")
    to_cluster.add_argument("image", nargs="+", choices=sorted(IMAGES))
    trial = command("check", check, "build images and try in them what they are for")
    trial.add_argument("image", nargs="+", choices=sorted(checking.TRIALS))
    bills = command("sbom", write_bills, "build images and write what is in them as CycloneDX; print the files")
    bills.add_argument("--output", type=Path, default=places.CHECKOUT / "build/sbom", metavar="FOLDER")
    bills.add_argument("image", nargs="+", choices=sorted(IMAGES))
    listing = command("refs", references, "print the references of the current tree, built or not")
    listing.add_argument("--json", action="store_true")
    command("clean", clean, "remove everything this made on the machine, clusters excepted")
    return top
