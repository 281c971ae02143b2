"""How much memory of the host this process can still take."""

from collections.abc import Iterator
from pathlib import Path

KIBIBYTE = 1024
CGROUPS = (
    (Path("sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Version 2 and 1: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory."""


def available(root: Path = Path("/")) -> int | None:
    """Bytes: what the node has left, or the container's limit leaves, whichever is less; None where neither is known.

    What is used counts as the kubelet counts it: without file pages that can be given up.

    Args:
        root: where sys and proc lie.
    """
    return min(_left(root), default=None)


def _left(root: Path) -> Iterator[int]:
    node = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if node is not None:
        yield node * KIBIBYTE
    for folder, limit, used, inactive in CGROUPS:
        most, now = _number(root / folder / limit), _number(root / folder / used)
        if most is not None and now is not None:
            yield max(0, most - now + _numbers(root / folder / "memory.stat").get(inactive, 0))


def _number(file: Path) -> int | None:
    """None too where it says max: no limit."""
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdecimal() else None


def _numbers(file: Path) -> dict[str, int]:
    lines = (line.split() for line in (file.read_text().splitlines() if file.exists() else ()))
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
