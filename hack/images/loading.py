"""Put an image into a cluster's containerd, and take its oldest versions away.

Of an image whose layers are there but for our code, only that layer is moved.

A few versions stay, because a pod that another test or a Job's retry is about to start
may name the one before; they share all layers but the one with our code.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from images import locking, places, storage
from images.catalogue import Image
from images.errors import ImagesError
from images.shell import pipe, run
from images.talk import say, step

# The kubelet removes unused images when the disk fills up; nothing could pull these again.
PINNED = "io.cri-containerd.pinned=pinned"
LOADED = "finetune-operator.dev/loaded"
# More than this is piped rather than laid aside and compressed.
ASIDE_BYTES = 64 * 10**6


@dataclass(frozen=True)
class Entry:
    """One reference in a containerd: a name, the manifest it names, and when we loaded it."""

    name: str
    digest: str
    loaded: int

    def is_of(self, repository: str) -> bool:
        return self.name.startswith((f"{repository}:", f"{repository}@"))


@dataclass(frozen=True)
class Containerd:
    """A cluster's containerd, reached with its own client."""

    client: str
    address: str
    namespace: str

    def ctr(self, *arguments: str) -> list[str]:
        return [self.client, "--address", self.address, "--namespace", self.namespace, *arguments]

    def images(self, *arguments: str) -> list[str]:
        return self.ctr("images", *arguments)

    def blobs(self) -> set[str]:
        """Digests of the layers, manifests and configurations it has."""
        return set(run(self.ctr("content", "list", "--quiet")).split())

    def entries(self) -> dict[str, Entry]:
        rows = [line.split() for line in run(self.images("list")).splitlines()[1:]]
        return {row[0]: Entry(row[0], row[2], time_loaded(row[-1])) for row in rows}


def time_loaded(labels: str) -> int:
    """Seconds since the epoch; 0 for what somebody else loaded."""
    pairs = (label.partition("=") for label in labels.split(","))
    return next((int(value) for key, _, value in pairs if key == LOADED), 0)


def containerd_of(cluster: str) -> Containerd:
    """Ask hack/cluster, which alone knows where a cluster keeps things."""
    answer = run([sys.executable, places.CHECKOUT / "hack/cluster", "env", "--name", cluster, "--json"])
    variables = json.loads(answer)
    client = shutil.which("ctr", path=variables["PATH"])
    if not client:
        raise ImagesError(f"no ctr for cluster {cluster}: run python3 hack/cluster up --name {cluster}")
    return Containerd(client, variables["CONTAINERD_ADDRESS"], variables["CONTAINERD_NAMESPACE"])


def load(image: Image, reference: str, containerd: Containerd) -> None:
    """Import unless it is there; then take the oldest versions of the same image away."""
    present = containerd.entries()
    if reference in present and by_digest(present[reference]) in present:
        say(f"{reference} is already loaded")
    else:
        with step(f"loading {reference}", image.expected_load), locking.using_storage():
            transfer(reference, containerd)
    mark(reference, containerd)
    for stale in outdated(image, containerd.entries().values()):
        run(containerd.images("remove", stale))


def transfer(reference: str, containerd: Containerd) -> None:
    layers = storage.layers(reference)
    blobs = containerd.blobs()
    present = {digest: size for digest, size in layers.items() if digest in blobs}
    if sum(layers.values()) - sum(present.values()) <= ASIDE_BYTES:
        transfer_rest(reference, present, containerd)
    else:
        transfer_whole(reference, containerd)


def transfer_rest(reference: str, present: dict[str, int], containerd: Containerd) -> None:
    """Import an archive without the layers that containerd has: it only misses what it lacks.

    buildah leaves alone what a folder holds by name, so an empty file of its size stands in
    for such a layer while buildah writes the others, and is gone before the import.
    """
    with tempfile.TemporaryDirectory(prefix="finetune-layers-") as folder:
        blobs = Path(folder, "blobs/sha256")
        blobs.mkdir(parents=True)
        stand_ins = {blobs / digest.removeprefix("sha256:"): size for digest, size in present.items()}
        for path, size in stand_ins.items():
            with path.open("wb") as file:
                file.truncate(size)
        storage.buildah("push", "--quiet", reference, f"oci:{folder}:{reference}")
        for path in stand_ins:
            path.unlink()
        members = ("oci-layout", "index.json", "blobs")
        pipe(["tar", "--create", "--directory", folder, *members], containerd.images("import", "-"))


def transfer_whole(reference: str, containerd: Containerd) -> None:
    """Through a pipe, so that no archive lies on the disk."""
    push = storage.command("push", "--quiet", reference, f"docker-archive:/dev/stdout:{reference}")
    pipe(push, containerd.images("import", "-"), env=storage.environment())


def mark(reference: str, containerd: Containerd) -> None:
    """Let the image answer to its digest as well, as one from a registry would; keep it from collection."""
    pinned = by_digest(containerd.entries()[reference])
    run(containerd.images("tag", "--force", reference, pinned))
    for name in (reference, pinned):
        run(containerd.images("label", name, PINNED, f"{LOADED}={int(time.time())}"))


def by_digest(entry: Entry) -> str:
    return f"{entry.name.rpartition(':')[0]}@{entry.digest}"


def outdated(image: Image, entries: Iterable[Entry]) -> list[str]:
    """References of the image's oldest versions, with those that only name their digest.

    The container runtime adds a ``sha256:…`` reference to every image; while one is left,
    no space is freed.
    """
    entries = list(entries)
    own = sorted((entry for entry in entries if entry.is_of(image.repository)), key=lambda entry: -entry.loaded)
    newest = list(dict.fromkeys(entry.digest for entry in own))[: image.versions_kept]
    old = {entry.digest for entry in own}.difference(newest)
    return [
        entry.name
        for entry in entries
        if entry.digest in old and (entry.is_of(image.repository) or entry.name.startswith("sha256:"))
    ]
