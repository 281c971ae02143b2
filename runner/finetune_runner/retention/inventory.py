"""What lies in a store's caches: told from one listing, and from the small documents that it finds."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from finetune_api.messages import CACHE_KEY_CHARS
from finetune_runner.prepared import PREPARED, Prepared
from finetune_runner.store.lease import LEASE, lease_in
from finetune_runner.store.manifest import MANIFEST, Manifest
from finetune_runner.store.object_store import ObjectInfo, ObjectStore
from finetune_runner.store.token_cache import USED_TOKENS

PLACE = re.compile(r"(?P<namespace>[^/]+)/(?P<kind>cache|jobs)/(?P<name>[^/]+)/(?P<path>.+)")
LEASE_MARGIN_SECONDS = 3600
"""A lease that was renewed so lately counts: far longer than it holds, since two machines' clocks are compared."""


@dataclass(frozen=True)
class Folder:
    """Objects that belong together: those of an attempt, or of a checkpoint."""

    place: str
    """Its key in the store."""
    objects: tuple[ObjectInfo, ...]
    job: str = ""
    """Name of the job that made it, which a checkpoint tells; empty: not known."""

    @property
    def size_bytes(self) -> int:
        return sum(info.size for info in self.objects)

    @property
    def modified(self) -> float:
        """When the newest of its objects was written, in seconds since 1970."""
        return max(info.modified for info in self.objects)


@dataclass(frozen=True)
class Entry:
    """All that lies below one cache key."""

    place: str
    """<namespace>/cache/<key>."""
    manifest: Manifest | None
    """Of the committed output; None where there is none that can be read."""
    manifest_info: ObjectInfo | None
    output: Folder | None
    """The attempt that the manifest names."""
    attempts: tuple[Folder, ...]
    """Those that it does not name; none where it can't be read, since then nobody knows."""
    checkpoints: tuple[Folder, ...]
    used: float
    """When it was committed or last found by a job, in seconds since 1970; 0 where there is no output."""
    busy: bool
    """A job that needs it works now, or did so an hour ago."""

    @property
    def size_bytes(self) -> int:
        return sum(folder.size_bytes for folder in (self.output, *self.attempts, *self.checkpoints) if folder)


@dataclass(frozen=True)
class _Use:
    """A job, and the keys that it has asked for."""

    keys: frozenset[str]
    time: float


Listed = Mapping[str, ObjectInfo]
"""Path below a cache key or a job's folder to what is there."""


def inventory(store: ObjectStore, *, now: float, namespace: str = "") -> list[Entry]:
    """Every cache key in a store, in order of their places.

    Args:
        store: the whole store, as spec.store names it.
        now: seconds since 1970.
        namespace: the only one to look at; empty: all.

    Raises:
        FineTuneError: AuthDenied, StoreUnavailable.
    """
    found: dict[tuple[str, str, str], dict[str, ObjectInfo]] = defaultdict(dict)
    for info in store.list(f"{namespace}/" if namespace else ""):
        if place := PLACE.fullmatch(info.key):
            found[place["namespace"], place["kind"], place["name"]][place["path"]] = info
    uses = {(space, uid): use for (space, kind, uid), files in found.items() if kind == "jobs"
            if (use := _use(store, files))}  # fmt: skip
    caches = {(space, key): files for (space, kind, key), files in found.items() if kind == "cache"}
    busy = _busy(store, caches, uses, now)
    return [
        _entry(store, f"{space}/cache/{key}", files, _last_use(space, key, uses), busy=(space, key) in busy)
        for (space, key), files in sorted(caches.items())
    ]


def is_live(lease: ObjectInfo | None, now: float) -> bool:
    """Whether a lease's object was written lately."""
    return lease is not None and lease.modified > now - LEASE_MARGIN_SECONDS


def manifest_at(store: ObjectStore, place: str) -> Manifest | None:
    """The manifest of a cache key, or of a checkpoint; None where there is none that can be read."""
    content = store.get(f"{place}/{MANIFEST}")
    try:
        return Manifest.model_validate_json(content.data) if content else None
    except ValidationError:
        return None


def _use(store: ObjectStore, files: Listed) -> _Use | None:
    """What a job's folder tells; None for one without anything that can be read."""
    content = store.get(files[PREPARED].key) if PREPARED in files else None
    try:
        pinned = Prepared.model_validate_json(content.data) if content else None
    except ValidationError:
        return None
    if pinned is None:
        return None
    keys = {step.key for step in pinned.passes} | {pinned.base.digest[:CACHE_KEY_CHARS]}
    keys |= {path.removeprefix(USED_TOKENS) for path in files if path.startswith(USED_TOKENS)}
    return _Use(frozenset(keys), max(info.modified for info in files.values()))


def _last_use(space: str, key: str, uses: Mapping[tuple[str, str], _Use]) -> float:
    return max((use.time for (where, _), use in uses.items() if where == space and key in use.keys), default=0.0)


def _busy(
    store: ObjectStore,
    caches: Mapping[tuple[str, str], Listed],
    uses: Mapping[tuple[str, str], _Use],
    now: float,
) -> Collection[tuple[str, str]]:
    """(namespace, key) of what is leased, and of all else that a job with a lease needs."""
    busy: set[tuple[str, str]] = set()
    for (space, key), files in caches.items():
        if not is_live(files.get(LEASE), now):
            continue
        busy.add((space, key))
        content = store.get(files[LEASE].key)
        lease = lease_in(content) if content else None
        use = uses.get((space, lease.job)) if lease else None
        busy.update((space, other) for other in (use.keys if use else ()))
    return busy


def _entry(store: ObjectStore, place: str, files: Listed, last_use: float, *, busy: bool) -> Entry:
    info = files.get(MANIFEST)
    manifest = manifest_at(store, place) if info else None
    attempts = {folder.place: folder for folder in _folders(place, "attempts", files)}
    output = attempts.pop(f"{place}/attempts/{manifest.attempt}", None) if manifest else None
    return Entry(
        place=place,
        manifest=manifest,
        manifest_info=info,
        output=output,
        attempts=() if info and not manifest else tuple(attempts.values()),
        checkpoints=tuple(
            replace(folder, job=_maker(store, folder)) for folder in _folders(place, "checkpoints", files)
        ),
        used=max(info.modified, last_use) if info else 0.0,
        busy=busy,
    )


def _maker(store: ObjectStore, checkpoint: Folder) -> str:
    manifest = manifest_at(store, checkpoint.place)
    return manifest.job if manifest else ""


def _folders(place: str, kind: str, files: Listed) -> Iterable[Folder]:
    groups: dict[str, list[ObjectInfo]] = defaultdict(list)
    for path, info in files.items():
        parts = path.split("/")
        if parts[0] == kind and len(parts) > 2:  # noqa: PLR2004  <kind>/<name>/<file>
            groups[parts[1]].append(info)
    return [Folder(f"{place}/{kind}/{name}", tuple(infos)) for name, infos in groups.items()]
