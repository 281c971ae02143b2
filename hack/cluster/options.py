"""What a cluster was brought up with, kept in its folder for restarts and for the next ``up``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Options:
    """A subnet of 0 means the one that follows from the cluster's name."""

    subnet: int = 0
    gpus: int = 0
    audit: bool = False
    kwok_nodes: int = 0


def load(root: Path) -> Options:
    file = root / "options.json"
    return Options(**json.loads(file.read_text())) if file.exists() else Options()


def save(root: Path, options: Options) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "options.json").write_text(json.dumps(asdict(options), indent=1))


def change(root: Path, **changes: Any) -> None:
    """Keep what is not named as it was."""
    save(root, replace(load(root), **changes))
