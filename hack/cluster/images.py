"""Makes the two small images that nothing can be pulled for, and loads images into a cluster."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cluster import settings, shell
from cluster.components.containerd import ctr
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.settings import Cluster

PAUSE_SOURCE = Path(__file__).resolve().parent / "pause.c"
BUSYBOX = Path("/bin/busybox")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"


def load_own(cluster: Cluster) -> None:
    """Load the pause and busybox images unless this cluster has them."""
    present = shell.run(*ctr(cluster, "images", "list", "-q")).split()
    for name, archive in archives().items():
        if name not in present:
            load(cluster, str(archive))


def load(cluster: Cluster, archive: str) -> list[str]:
    """Import a docker-archive from a file (``-``: standard input) and return the names of its images."""
    command = ctr(cluster, "images", "import", "-")
    with _opened(archive) as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(
            f"containerd did not take {archive}; is it a docker-archive, and is the cluster up?\n{done.stderr.strip()}"
        )
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("unpacking ")]


def _opened(archive: str) -> AbstractContextManager[IO[bytes]]:
    if archive == "-":
        return nullcontext(sys.stdin.buffer)
    if not Path(archive).is_file():
        raise ClusterError(f"{archive}: no such file")
    return Path(archive).open("rb")


def archives() -> dict[str, Path]:
    """The small images' archives by name, made once."""
    return {
        settings.PAUSE_IMAGE: _archive(settings.PAUSE_IMAGE, _pause),
        settings.BUSYBOX_IMAGE: _archive(settings.BUSYBOX_IMAGE, _busybox),
    }


def _archive(name: str, contents: Callable[[], tuple[bytes, list[str]]]) -> Path:
    folder = settings.cache_dir() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / (name.replace("/", "_").replace(":", "-") + ".tar")
    if not archive.exists():
        layer, entrypoint = contents()
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as scratch:
            _write(scratch, name, layer, entrypoint)
        Path(scratch.name).rename(archive)
    return archive


def _pause() -> tuple[bytes, list[str]]:
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "pause"
        shell.run("gcc", "-Os", "-static", "-s", "-o", str(program), str(PAUSE_SOURCE))
        return _tar({"pause": (0o755, program.read_bytes())}), ["/pause"]


def _busybox() -> tuple[bytes, list[str]]:
    """Debian's static busybox with a link for each of its commands."""
    commands = shell.run(str(BUSYBOX), "--list").split()
    files = {
        "bin/busybox": (0o755, BUSYBOX.read_bytes()),
        "etc/passwd": (0o644, PASSWD),
        "etc/group": (0o644, b"root:x:0:\nnobody:x:65534:\n"),
    }
    links = {f"bin/{command}": "busybox" for command in commands if command != "busybox"}
    return _tar(files, links, folders={"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777}), []


def _tar(
    files: dict[str, tuple[int, bytes]],
    links: dict[str, str] | None = None,
    folders: dict[str, int] | None = None,
) -> bytes:
    """A layer whose bytes depend on its content alone: no times, no owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, mode in (folders or {}).items():
            tar.addfile(_entry(name, mode, tarfile.DIRTYPE))
        for name, (mode, content) in files.items():
            entry = _entry(name, mode, tarfile.REGTYPE)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = _entry(name, 0o777, tarfile.SYMTYPE)
            entry.linkname = target
            tar.addfile(entry)
    return stream.getvalue()


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type = mode, kind
    return entry


def _write(stream: IO[bytes], name: str, layer: bytes, entrypoint: list[str]) -> None:
    """The layout that ``docker save`` writes: a manifest that names a config and the layers."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": entrypoint or None, "Cmd": None if entrypoint else ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    encoded = json.dumps(config, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    members = {"layer.tar": layer, config_name: encoded, "manifest.json": json.dumps(manifest).encode()}
    stream.write(_tar({member: (0o644, content) for member, content in members.items()}))
