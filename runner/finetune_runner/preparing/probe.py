"""Whether store and output can be written, found out before anything expensive starts."""

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.job import Job
from finetune_runner.store.object_store import ObjectStore

CONTENT = b"finetune-operator was here"
NO_ETAG = f'"{"0" * 32}"'
"""Of no object."""


def probe(job: Job, store: ObjectStore, key: str) -> None:
    """Lists, writes (if absent) and deletes one small object, named for this job.

    Raises:
        FineTuneError: InvalidSpec (no bucket, or a service without If-None-Match), AuthDenied, StoreUnavailable.
    """
    store.check()
    name = f"{key}-{job.layout.pod_uid}"
    store.put_if_absent(name, CONTENT)
    overwritten = store.put_if_absent(name, CONTENT)
    store.delete(name)
    if overwritten:
        raise _ignored("If-None-Match", store)


def probe_replacement(job: Job, store: ObjectStore, key: str) -> None:
    """That an object is replaced only while it is the one that was read.

    Raises:
        FineTuneError: InvalidSpec (a service without If-Match), AuthDenied, StoreUnavailable.
    """
    name = f"{key}-{job.layout.pod_uid}"
    store.put(name, CONTENT)
    try:
        replaced = store.put_if_match(name, CONTENT, NO_ETAG)
    finally:
        store.delete(name)
    if replaced:
        raise _ignored("If-Match", store)


def _ignored(header: str, store: ObjectStore) -> FineTuneError:
    return FineTuneError(
        Reason.INVALID_SPEC,
        f"{store.uri('')} ignores {header}: two writers of one output could not be told apart",
        remedy="Use a service with conditional writes (AWS S3, MinIO, Ceph, versitygw).",
        path=store.path,
    )
