"""Builds the programs from their sources, once, into a cache keyed by version."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import settings, shell
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

GOMOD = Path(__file__).resolve().parent / "gomod"
VERSION_PACKAGE = "k8s.io/component-base/version"
KUBERNETES_MAJOR, KUBERNETES_MINOR, _ = settings.KUBERNETES_VERSION.lstrip("v").split(".")


@dataclass(frozen=True)
class Source:
    """Programs that one ``go`` command builds, and how long that takes on two cores."""

    name: str
    version: str
    packages: dict[str, str]
    minutes: int
    module: Path | None = None
    ldflags: str = "-s -w"
    tags: str = ""
    cgo: bool = False
    optional: bool = False


KUBERNETES = Source(
    name="kubernetes",
    version=settings.KUBERNETES_VERSION,
    packages={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
    minutes=13,
    module=GOMOD / "kubernetes",
    ldflags=(
        f"-s -w -X {VERSION_PACKAGE}.gitVersion={settings.KUBERNETES_VERSION}"
        f" -X {VERSION_PACKAGE}.gitMajor={KUBERNETES_MAJOR} -X {VERSION_PACKAGE}.gitMinor={KUBERNETES_MINOR}"
    ),
)
ETCD = Source(
    name="etcd",
    version=settings.ETCD_VERSION,
    packages={"etcd": "go.etcd.io/etcd/server/v3"},
    minutes=1,
    # Most of what it is made of Kubernetes is made of, too.
    module=GOMOD / "kubernetes",
)
RUNC = Source(
    name="runc",
    version=settings.RUNC_VERSION,
    packages={"runc": "github.com/opencontainers/runc"},
    minutes=1,
    tags="seccomp",
    cgo=True,
)
COREDNS = Source(
    name="coredns",
    version=settings.COREDNS_VERSION,
    packages={"coredns": "."},
    minutes=2,
    module=GOMOD / "coredns",
)
VERSITYGW = Source(
    name="versitygw",
    version=settings.VERSITYGW_VERSION,
    packages={"versitygw": "github.com/versity/versitygw/cmd/versitygw"},
    minutes=2,
)
HELM = Source(
    name="helm",
    version=settings.HELM_VERSION,
    packages={"helm": "helm.sh/helm/v3/cmd/helm"},
    minutes=3,
    ldflags=f"-s -w -X helm.sh/helm/v3/internal/version.version={settings.HELM_VERSION}",
)
KWOK_MODULE = "sigs.k8s.io/kwok"
KWOK = Source(
    name="kwok",
    version=settings.KWOK_VERSION,
    packages={"kwok": f"{KWOK_MODULE}/cmd/kwok"},
    minutes=2,
    optional=True,
)
KSTATUS = Source(
    name="kstatus",
    version=settings.KSTATUS_VERSION,
    packages={"kstatus": "."},
    minutes=2,
    module=GOMOD / "kstatus",
    optional=True,
)
KUBE_SCORE = Source(
    name="kube-score",
    version=settings.KUBE_SCORE_VERSION,
    packages={"kube-score": "github.com/zegl/kube-score/cmd/kube-score"},
    minutes=1,
    optional=True,
)
PROMTOOL = Source(
    name="promtool",
    version=settings.PROMETHEUS_VERSION,
    packages={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    minutes=3,
    module=GOMOD / "promtool",
    tags="remove_all_sd",  # or it holds the clients of twenty clouds, where Prometheus may look for what to scrape
    optional=True,
)
KUEUE_MODULE = "sigs.k8s.io/kueue"
KUEUE = Source(
    name="kueue",
    version=settings.KUEUE_VERSION,
    packages={"kueue": f"{KUEUE_MODULE}/cmd/kueue"},
    minutes=8,
    optional=True,
)
SOURCES = (KUBERNETES, ETCD, RUNC, COREDNS, VERSITYGW, HELM, KWOK, KSTATUS, KUBE_SCORE, PROMTOOL, KUEUE)


def path(name: str) -> Path:
    """Where a built program is, or will be."""
    source = next(source for source in SOURCES if name in source.packages)
    return _folder(name, source) / name


def present(source: Source) -> bool:
    return all(path(name).exists() for name in source.packages)


def missing() -> list[str]:
    """The sources that every cluster needs and that are not built yet."""
    return [source.name for source in SOURCES if not source.optional and not present(source)]


def available() -> dict[str, Path]:
    """Every program that has been built, by name."""
    names = [name for source in SOURCES for name in source.packages]
    return {name: path(name) for name in names if path(name).exists()}


def module_folder(module: str, version: str) -> Path:
    """A module's folder in Go's cache; downloaded if need be, as for the build."""
    found = json.loads(shell.run("go", "mod", "download", "-json", f"{module}@{version}"))
    return Path(found["Dir"])


def build(components: list[str]) -> None:
    """Build what was asked for (everything, if nothing was) and is not there yet."""
    for source in _wanted(components):
        with _lock(source):
            if present(source):
                print(f"{source.name} {source.version}: already built", flush=True)
            else:
                _build(source)


def _wanted(components: list[str]) -> list[Source]:
    known = {name: source for source in SOURCES for name in (source.name, *source.packages)}
    unknown = sorted(set(components) - set(known))
    if unknown:
        raise ClusterError(f"unknown component {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if components:
        return [source for source in SOURCES if source in [known[name] for name in components]]
    return [source for source in SOURCES if not source.optional]


def _build(source: Source) -> None:
    print(f"{source.name} {source.version}: building, usually {source.minutes} min on two cores", flush=True)
    started = time.monotonic()
    root = settings.cache_dir() / "bin"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=root) as scratch:
        _compile(source, Path(scratch))
        for name in source.packages:
            _publish(Path(scratch) / name, _folder(name, source))
    print(f"{source.name} {source.version}: built in {time.monotonic() - started:.0f} s", flush=True)


def _compile(source: Source, output: Path) -> None:
    flags = ["-trimpath", f"-ldflags={source.ldflags}", f"-tags={source.tags}"]
    environment = {**os.environ, "CGO_ENABLED": "1" if source.cgo else "0"}
    packages = list(source.packages.values())
    if source.module:
        target = f"{output}/" if len(packages) > 1 else f"{output}/{source.name}"
        command = ["go", "build", "-mod=readonly", *flags, "-o", target, *packages]
    else:
        environment["GOBIN"] = str(output)
        command = ["go", "install", *flags, *(f"{package}@{source.version}" for package in packages)]
    if subprocess.run(command, cwd=source.module or output, env=environment, check=False).returncode != 0:
        raise ClusterError(f"building {source.name} failed; the compiler's messages are above")


def _publish(binary: Path, folder: Path) -> None:
    """Move a finished program into place in one step, so that no one runs half of it."""
    staging = binary.with_name(f"{binary.name}.folder")
    staging.mkdir()
    binary.rename(staging / binary.name)
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)


def _folder(name: str, source: Source) -> Path:
    return settings.cache_dir() / "bin" / f"{name}-{source.version}"


@contextmanager
def _lock(source: Source) -> Iterator[None]:
    """Each is built by one at a time: the second waits and then finds it built."""
    folder = settings.cache_dir() / "build-locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / source.name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{source.name} {source.version}: another builds it; waiting for that", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
