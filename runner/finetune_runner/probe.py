"""Whether store and output can be written, found out before anything expensive starts."""

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.job import Job
from finetune_runner.store.object_store import ObjectStore

CONTENT = b"finetune-operator was here"


def probe(job: Job, store: ObjectStore, key: str) -> None:
    """Lists, writes (if absent) and deletes one small object, named for this job.

    Raises:
        FineTuneError: InvalidSpec (no bucket, or a service without conditional writes), AuthDenied, StoreUnavailable.
    """
    store.check()
    name = f"{key}-{job.layout.pod_uid}"
    store.put_if_absent(name, CONTENT)
    overwritten = store.put_if_absent(name, CONTENT)
    store.delete(name)
    if overwritten:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"{store.uri('')} ignores If-None-Match: two writers of one output could not be told apart",
            remedy="Use a service with conditional writes (AWS S3, MinIO, Ceph, versitygw).",
            path=store.path,
        )
