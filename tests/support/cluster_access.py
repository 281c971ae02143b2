"""A running cluster as a test uses it: its own kubectl, and conditions that are waited for."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

POLL_SECONDS = 0.3
WATCH_SECONDS = 20


class CommandError(AssertionError):
    """A command that should have succeeded; its text is the command's own."""


@dataclass(frozen=True)
class Cluster:
    """One cluster of hack/cluster; environment is what `hack/cluster env` says."""

    environment: dict[str, str]

    @property
    def name(self) -> str:
        return self.environment["FINETUNE_CLUSTER"]

    def attempt(self, *arguments: str, stdin: str | None = None, seconds: float = 300) -> subprocess.CompletedProcess:
        """A command in the cluster's environment, whatever it ends with."""
        return subprocess.run(
            arguments, env=self.environment, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
        )

    def run(self, *arguments: str, stdin: str | None = None, seconds: float = 300) -> str:
        """A command's standard output.

        Raises:
            CommandError: it ended with another code than 0.
        """
        done = self.attempt(*arguments, stdin=stdin, seconds=seconds)
        if done.returncode:
            raise CommandError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 300) -> str:
        return self.run("kubectl", *arguments, stdin=stdin, seconds=seconds)

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *documents: dict[str, Any]) -> str:
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents, sort_keys=False))


def until(holds: Callable[[], Any], seconds: float, what: str, left: Callable[[], object] | None = None) -> Any:
    """The first true value of a condition that is looked at again and again; `left` tells what it lacks.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}{f', but {left()}' if left else ''}")
        time.sleep(POLL_SECONDS)
    return value


def watch(cluster: Cluster, *arguments: str, seconds: float) -> Iterator[dict[str, Any]]:
    """An object's status now and after every change, as `kubectl get --watch` tells it, for that many seconds.

    A watch that breaks off (a restarted API server) is begun anew; and after a while in any case, since one was seen to
    go on and tell nothing.
    """
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        with _watching(cluster, arguments, min(left, WATCH_SECONDS)) as lines:
            yield from (json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n"))
        time.sleep(POLL_SECONDS)


@contextmanager
def _watching(cluster: Cluster, arguments: tuple[str, ...], seconds: float) -> Iterator[Any]:
    command = ["kubectl", "get", *arguments, "--watch", "-o", 'jsonpath={.status}{"\\n"}']
    process = subprocess.Popen(
        command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield process.stdout
    finally:
        timer.cancel()
        process.kill()
        process.wait()
