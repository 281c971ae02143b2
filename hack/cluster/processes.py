"""Starts, finds and ends a cluster's processes; each is known by its pid *and* its start time.

A pid alone may have been given to a stranger since; a process is only ever
signalled through a pidfd whose start time was compared after it was opened.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cluster.settings import Cluster

TAIL_LINES = 25
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Variables that none of them is given: they talk to each other, in a network from which no proxy is reached."""


@dataclass(frozen=True)
class Record:
    """A start time counts from the machine's boot, so the boot belongs to it."""

    pid: int
    started: int
    boot: str


def start(cluster: Cluster, name: str, command: list[str], environment: dict[str, str]) -> None:
    """Start it in the cluster's network, in a session of its own, with its output in the log."""
    cluster.logs.mkdir(parents=True, exist_ok=True)
    with log(cluster, name).open("ab") as output:
        process = subprocess.Popen(
            network.inside(cluster, *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cluster.root,
            env={**without_proxies(os.environ), **environment},
            start_new_session=True,
        )
    _reap_later(process)
    record = Record(process.pid, _start_time(process.pid) or 0, _boot())
    file = _file(cluster, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(record)))


def without_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.lower() not in PROXIES}


def pid(cluster: Cluster, name: str) -> int | None:
    """Its pid while it runs."""
    file = _file(cluster, name)
    if not file.exists():
        return None
    record = Record(**json.loads(file.read_text()))
    return record.pid if _runs(record) else None


def started_at(cluster: Cluster, name: str) -> float:
    """When it was last started, in seconds of the epoch."""
    return _file(cluster, name).stat().st_mtime


def stop(cluster: Cluster, name: str, seconds: float) -> bool:
    """Ask it to end and, when it doesn't in time, end it; False when it did not run."""
    return _signal(cluster, name, [signal.SIGTERM, signal.SIGKILL], seconds)


def kill(cluster: Cluster, name: str) -> bool:
    """End it at once, as a crash would; False when it did not run."""
    return _signal(cluster, name, [signal.SIGKILL], 15)


def end_all(pids: list[int]) -> None:
    """End processes found in a cgroup or by an argument that only this cluster's have."""
    for number in pids:
        try:
            descriptor = os.pidfd_open(number)
        except ProcessLookupError:
            continue
        try:
            _send(descriptor, signal.SIGKILL)
            _ended(descriptor, 5)
        finally:
            os.close(descriptor)


def tail(cluster: Cluster, name: str) -> str:
    """The last lines of its log, to be shown when it died."""
    file = log(cluster, name)
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return "\n".join(lines[-TAIL_LINES:])


def log(cluster: Cluster, name: str) -> Path:
    return cluster.logs / f"{name}.log"


def with_argument(argument: str) -> list[int]:
    """The processes that have exactly this among their arguments."""
    wanted = argument.encode()
    return [number for number in _all() if wanted in _arguments(number)]


def _signal(cluster: Cluster, name: str, signals: list[signal.Signals], seconds: float) -> bool:
    file = _file(cluster, name)
    if not file.exists():
        return False
    record = Record(**json.loads(file.read_text()))
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        file.unlink()
        return False
    try:
        ran = _runs(record)
        for number in signals if ran else []:
            _send(descriptor, number)
            if _ended(descriptor, seconds):
                break
    finally:
        os.close(descriptor)
    file.unlink()
    return ran


def _send(descriptor: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return


def _ended(descriptor: int, seconds: float) -> bool:
    """A pidfd becomes readable when its process has ended."""
    return bool(select.select([descriptor], [], [], seconds)[0])


def _runs(record: Record) -> bool:
    return record.boot == _boot() and record.started == _start_time(record.pid)


def _start_time(number: int) -> int | None:
    """Field 22 of stat, counted after the name, which may hold spaces; None for the dead."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _arguments(number: int) -> list[bytes]:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _file(cluster: Cluster, name: str) -> Path:
    return cluster.root / "pids" / f"{name}.json"


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """It outlives this program, and Python would warn about that."""
    process.returncode = 0
