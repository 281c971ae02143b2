"""What a deleted job leaves behind of its own, removed: artifact, checkpoints, and what the store knows of it alone.

Whenever it is cut off it can be done again: what tells whose something is goes last.
"""

import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import CACHE_KEY_CHARS, DeletionDocument
from finetune_runner.layout import PodLayout
from finetune_runner.prepared import PREPARED, Prepared
from finetune_runner.publishing.unpublish import unpublish
from finetune_runner.retention.inventory import is_live, manifest_at
from finetune_runner.store.lease import LEASE, lease_in
from finetune_runner.store.manifest import MANIFEST
from finetune_runner.store.object_store import ObjectStore
from finetune_runner.store.opening import open_location
from finetune_runner.store.token_cache import USED_TOKENS

log = logging.getLogger(__name__)

CACHE_KEY = re.compile(f"[0-9a-f]{{{CACHE_KEY_CHARS}}}")


def read_deletion(file: Path) -> DeletionDocument:
    """The mounted document.

    Raises:
        FineTuneError: InvalidSpec, it is none.
    """
    try:
        return DeletionDocument.model_validate(json.loads(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise FineTuneError(
            Reason.INVALID_SPEC, f"{file} says nothing that can be deleted: {error}", remedy="The operator mounts one."
        ) from error


def delete(document: DeletionDocument, layout: PodLayout) -> None:
    """Removes what is the job's own, whose pods have all ended.

    Raises:
        FineTuneError: AuthDenied, StoreUnavailable, or InvalidSpec for a bucket or volume that is not there.
    """
    if document.output:
        unpublish(open_location(document.output, layout, "spec.output"), document.uid)
    store = open_location(document.store, layout, "spec.store")
    folder = f"{document.namespace}/jobs/{document.uid}"
    caches = f"{document.namespace}/cache"
    if document.reusable:
        for place in (f"{caches}/{key}" for key in _keys(store, folder)):
            if not _another_works(store, place, document.uid):
                _remove_checkpoints(store, place, document.name)
    else:
        for place in (f"{caches}/{key}" for key in (*_keys(store, folder), *_token_keys(store, folder))):
            _remove(store, f"{place}/", first=f"{place}/{MANIFEST}")
    _remove(store, f"{folder}/", last=f"{folder}/{PREPARED}")


def _keys(store: ObjectStore, folder: str) -> list[str]:
    """The cache keys of the job's passes; none where it was never prepared, or this has been done."""
    content = store.get(f"{folder}/{PREPARED}")
    try:
        pinned = Prepared.model_validate_json(content.data) if content else None
    except ValidationError:
        log.warning("%s can't be read: checkpoints are left", store.uri(f"{folder}/{PREPARED}"))
        return []
    return [step.key for step in pinned.passes if CACHE_KEY.fullmatch(step.key)] if pinned else []


def _token_keys(store: ObjectStore, folder: str) -> list[str]:
    """Of the tokenised rows that it used, where no other job does."""
    prefix = f"{folder}/{USED_TOKENS}"
    names = (info.key.removeprefix(prefix) for info in store.list(prefix))
    return [name for name in names if CACHE_KEY.fullmatch(name)]


def _another_works(store: ObjectStore, place: str, uid: str) -> bool:
    """Whether another job makes the same pass now, which may have gone on from our checkpoint."""
    info = store.head(f"{place}/{LEASE}")
    content = store.get(f"{place}/{LEASE}") if info else None
    lease = lease_in(content) if content else None
    if lease is None or lease.job == uid or not is_live(info, time.time()):
        return False
    log.info("job %s makes the same pass: the checkpoints in %s are left to it", lease.name, store.uri(place))
    return True


def _remove_checkpoints(store: ObjectStore, place: str, job: str) -> None:
    """Those that a job of this name has made, and what was never a whole one."""
    for checkpoint in sorted(set(_folders(store, f"{place}/checkpoints/"))):
        manifest = manifest_at(store, checkpoint)
        if manifest and manifest.job != job:
            continue
        _remove(store, f"{checkpoint}/", first=f"{checkpoint}/{MANIFEST}")


def _folders(store: ObjectStore, prefix: str) -> Iterator[str]:
    for info in store.list(prefix):
        name, slash, _ = info.key.removeprefix(prefix).partition("/")
        if slash:
            yield prefix + name


def _remove(store: ObjectStore, prefix: str, *, first: str = "", last: str = "") -> None:
    """All objects whose key begins so."""
    keys = [info.key for info in store.list(prefix)]
    for key in sorted(keys, key=lambda key: (key == last, key != first)):
        store.delete(key)
    log.info("removed %d objects from %s", len(keys), store.uri(prefix))
