"""Names of children: the same for the same work, different for another job of the same name, at most 63 characters."""

import hashlib
import re

CONTAINER = "runner"
"""The container of a pod that is ours."""
DISRUPTION = "DisruptionTarget"
"""The condition of a pod that is taken from its Job: backoffLimit does not count it, disruptionLimit does."""
LIMIT = 63
PART_LIMIT = 20
HASH_CHARS = 10


def child_name(job: str, uid: str, *parts: str, unseen: str = "") -> str:
    """<job>-<parts>-<hash>: readable, and unique by the hash over the job's UID, all parts in full and `unseen`.

    A Job's name becomes a label and the beginning of its pods' names, hence a DNS label.
    """
    digest = hashlib.sha256("\0".join((uid, *parts, unseen)).encode()).hexdigest()[:HASH_CHARS]
    tail = "-".join((*(_label(part)[:PART_LIMIT].strip("-") for part in parts), digest))
    stem = _label(job)[: LIMIT - len(tail) - 1].strip("-")
    return f"{stem}-{tail}" if stem else f"j-{tail}"


def config_map_name(job: str, uid: str) -> str:
    return child_name(job, uid, "job")


def prepare_name(job: str, uid: str, attempt: int) -> str:
    return child_name(job, uid, "prepare", str(attempt))


def stage_name(job: str, uid: str, index: int, system: str, attempt: int) -> str:
    """The prepare attempt counts, so that a stage whose outputs a later prepare does not find can run anew."""
    return child_name(job, uid, system, str(index), unseen=str(attempt))


def deletion_name(job: str, uid: str) -> str:
    return child_name(job, uid, "delete")


def volume_name(kind: str, name: str) -> str:
    """A pod volume's name (a DNS label) for an object of any name."""
    plain = f"{kind}-{name}"
    if len(plain) <= LIMIT and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", plain):
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_CHARS]
    return f"{_label(plain)[: LIMIT - HASH_CHARS - 1].strip('-')}-{digest}"


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
