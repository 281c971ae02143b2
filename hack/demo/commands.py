"""Runs the project's other commands and kubectl, and stops with their own words when one fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
CLUSTER = "demo"


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


def hack(tool: str, *arguments: str) -> str:
    """Run `python3 hack/TOOL …`; its progress is shown, its standard output returned."""
    command = [sys.executable, f"hack/{tool}", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DemoError(f"python3 hack/{tool} {' '.join(arguments)} failed; see above")
    return done.stdout


def environment() -> dict[str, str]:
    """The demo cluster's variables: KUBECONFIG, PATH, S3_ENDPOINT and more."""
    found: dict[str, str] = json.loads(hack("cluster", "env", "--name", CLUSTER, "--json"))
    return found


def run(command: list[str], variables: Mapping[str, str], stdin: str = "") -> str:
    """Run a program of the cluster's (kubectl, helm); its standard output."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, env=env, cwd=CHECKOUT, input=stdin, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{' '.join(command)} failed; see above")
    return done.stdout


def watched(command: list[str], variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The objects that a `kubectl get --watch --output json` prints, as they come."""
    env = {**os.environ, **variables}
    decoder, text = json.JSONDecoder(), ""
    with subprocess.Popen(command, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                text += line
                if line.rstrip() == "}":
                    found, _ = decoder.raw_decode(text)
                    text = ""
                    yield found
        finally:
            process.terminate()
