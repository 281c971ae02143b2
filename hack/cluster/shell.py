"""Runs another program and turns its failure into a message."""

from __future__ import annotations

import subprocess

from cluster.errors import ClusterError


def run(*command: str, stdin: bytes | None = None) -> str:
    """Its standard output; a failure is a ClusterError with what it wrote."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ClusterError(f"{command[0]} is not installed: run `python3 hack/cluster build`") from error
    if done.returncode != 0:
        written = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ClusterError(f"{' '.join(command)}: exit {done.returncode}: {written}")
    return done.stdout.decode(errors="replace")


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
