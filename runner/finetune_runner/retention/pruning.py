"""Removing what no job has use for, so that nothing half removed ever counts: a manifest goes before its files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finetune_runner.retention.inventory import Entry, Folder, is_live, manifest_at
from finetune_runner.store.lease import LEASE
from finetune_runner.store.manifest import MANIFEST
from finetune_runner.store.object_store import ObjectInfo, ObjectStore


@dataclass(frozen=True)
class Removal:
    """A folder that is to go."""

    entry: Entry
    folder: Folder
    manifest: ObjectInfo | None = None
    """What makes it the committed output; None for an attempt or checkpoint that none names."""


def unused(entries: Iterable[Entry], before: float) -> Iterator[Removal]:
    """Outputs that no job has committed or found since then (seconds since 1970)."""
    for entry in entries:
        if entry.output and not entry.busy and entry.used < before:
            yield Removal(entry, entry.output, entry.manifest_info)


def unfinished(entries: Iterable[Entry], before: float) -> Iterator[Removal]:
    """Attempts that were not committed, and checkpoints, with nothing written since then."""
    for entry in entries:
        for folder in (*entry.attempts, *entry.checkpoints):
            if not entry.busy and folder.modified < before:
                yield Removal(entry, folder)


def remove(store: ObjectStore, removal: Removal, now: float) -> bool:
    """Removes it; False, with nothing touched, where a job has come in between.

    Args:
        store: where it lies.
        removal: what is to go, as it was found a while ago.
        now: seconds since 1970.

    Raises:
        FineTuneError: AuthDenied, StoreUnavailable.
    """
    place = removal.entry.place
    if is_live(store.head(f"{place}/{LEASE}"), now) or not _as_found(store, removal):
        return False
    if removal.manifest:
        store.delete(removal.manifest.key)
    for info in sorted(removal.folder.objects, key=lambda info: not info.key.endswith(f"/{MANIFEST}")):
        store.delete(info.key)
    if not removal.entry.busy:
        store.delete(f"{place}/{LEASE}")
    return True


def _as_found(store: ObjectStore, removal: Removal) -> bool:
    """Whether the committed output is still the one it was, or the folder still that of none."""
    if removal.manifest:
        there = store.head(removal.manifest.key)
        return there is not None and there.etag == removal.manifest.etag
    place = removal.entry.place
    manifest = manifest_at(store, place)
    if manifest is None:
        return store.head(f"{place}/{MANIFEST}") is None
    return removal.folder.place != f"{place}/attempts/{manifest.attempt}"
