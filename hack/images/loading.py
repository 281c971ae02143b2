"""Put an image into a cluster's containerd, in place of its older versions."""

import json
import shutil
import sys
from dataclasses import dataclass

from images import places, storage
from images.errors import ImagesError
from images.shell import pipe, run
from images.talk import say, step

# The kubelet removes unused images when the disk fills up; nothing could pull these again.
PINNED = "io.cri-containerd.pinned=pinned"


@dataclass(frozen=True)
class Containerd:
    """A cluster's containerd, reached with its own client."""

    client: str
    address: str
    namespace: str

    def images(self, *arguments: str) -> list[str]:
        return [self.client, "--address", self.address, "--namespace", self.namespace, "images", *arguments]

    def digests(self) -> dict[str, str]:
        """Every reference and the manifest it names."""
        rows = [line.split() for line in run(self.images("list")).splitlines()[1:]]
        return {row[0]: row[2] for row in rows}


def containerd_of(cluster: str) -> Containerd:
    """Ask hack/cluster, which alone knows where a cluster keeps things."""
    answer = run([sys.executable, places.CHECKOUT / "hack/cluster", "env", "--name", cluster, "--json"])
    variables = json.loads(answer)
    client = shutil.which("ctr", path=variables["PATH"])
    if not client:
        raise ImagesError(f"no ctr for cluster {cluster}: run python3 hack/cluster up --name {cluster}")
    return Containerd(client, variables["CONTAINERD_ADDRESS"], variables["CONTAINERD_NAMESPACE"])


def load(reference: str, containerd: Containerd, expected: str) -> None:
    """Import unless it is there; then take older tags of the same image away."""
    present = containerd.digests()
    if reference in present and by_digest(reference, present[reference]) in present:
        say(f"{reference} is already loaded")
    else:
        with step(f"loading {reference}", expected):
            transfer(reference, containerd)
    for stale in outdated(reference, containerd.digests()):
        run(containerd.images("remove", stale))


def transfer(reference: str, containerd: Containerd) -> None:
    """Through a pipe, so that no archive lies on the disk; the image answers to its digest as well."""
    push = storage.command("push", "--quiet", reference, f"docker-archive:/dev/stdout:{reference}")
    pipe(push, containerd.images("import", "-"), env=storage.environment())
    pinned = by_digest(reference, containerd.digests()[reference])
    run(containerd.images("tag", "--force", reference, pinned))
    for name in (reference, pinned):
        run(containerd.images("label", name, PINNED))


def by_digest(reference: str, digest: str) -> str:
    return f"{reference.rpartition(':')[0]}@{digest}"


def outdated(reference: str, present: dict[str, str]) -> list[str]:
    """Older references of the image, with those that only name their digest.

    The container runtime adds a ``sha256:…`` reference to every image; while one is left,
    no space is freed.
    """
    repository = reference.rpartition(":")[0]
    current = present[reference]
    old = {digest for name, digest in present.items() if is_of(repository, name) and digest != current}
    mine = [name for name, digest in present.items() if digest in old or is_of(repository, name)]
    removable = [name for name in mine if is_of(repository, name) or name.startswith("sha256:")]
    return [name for name in removable if name not in {reference, by_digest(reference, current)}]


def is_of(repository: str, name: str) -> bool:
    return name.startswith((f"{repository}:", f"{repository}@"))
