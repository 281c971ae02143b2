"""Installs the Debian packages that the cluster and the image builds need."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import neighbours
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INSTALLATION = ".packages"
"""Lock of the one that installs: apt waits for another's packages, and not for its lists."""
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Installing a package must not start its service here.\nexit 101\n"
SERVICES = {"containerd": "containerd"}

PACKAGES = (
    "containerd",
    "containernetworking-plugins",
    "iproute2",
    "nftables",
    "openssl",
    "util-linux",
    # to have the clock of one process jump
    "libfaketime",
    # to compile runc and the pause program
    "gcc",
    "libc6-dev",
    "libseccomp-dev",
    "pkg-config",
    # what the images are made with
    "busybox-static",
    "buildah",
    "debootstrap",
)


def missing() -> list[str]:
    """The packages that are not installed."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *PACKAGES]
    listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in listing.splitlines() if line.split()[1:] == ["ii"]}
    return [package for package in PACKAGES if package not in installed]


def install() -> None:
    """Install what is missing, without letting apt start containerd's own service."""
    if not missing():
        print("packages: already installed", flush=True)
        return
    with neighbours.one_at_a_time(INSTALLATION):
        _install(missing())


def _install(wanted: list[str]) -> None:
    """Nothing where another has just done it."""
    if not wanted:
        return
    print(f"packages: installing {', '.join(wanted)}, usually 1 min", flush=True)
    with _no_services_started():
        _apt("update", "-q")
        _apt("install", "-q", "-y", "--no-install-recommends", *wanted)
    _disable(service for package, service in SERVICES.items() if package in wanted)


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"apt-get {arguments[0]} failed:\n{done.stdout[-2000:]}")


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Debian asks this script before it starts a service; leave an existing one alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _disable(services: Iterable[str]) -> None:
    """Nor may they start at the next boot; without systemd there is nothing to do."""
    if Path("/run/systemd/system").exists():
        for service in services:
            subprocess.run(["systemctl", "disable", "--now", service], check=False)
