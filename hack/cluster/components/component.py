"""What every component has: a command line, files it reads, and a sign that it is ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.settings import Cluster


def _nothing(_cluster: Cluster) -> None:
    """Most components read no files but certificates."""


def _always(_cluster: Cluster) -> bool:
    return True


def _no_environment(_cluster: Cluster) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Component:
    """One process of the cluster."""

    name: str
    command: Callable[[Cluster], list[str]]
    ready: Callable[[Cluster], bool]
    prepare: Callable[[Cluster], None] = _nothing
    environment: Callable[[Cluster], dict[str, str]] = _no_environment
    wanted: Callable[[Cluster], bool] = _always
    aliases: tuple[str, ...] = field(default=())
    start_seconds: float = 60
    stop_seconds: float = 10
