"""The Job that removes what a deleted FineTuneJob has made. Pure."""

from typing import Any

from finetune_api import pod_layout
from finetune_api.messages import DeletionDocument, JobDocument
from finetune_operator import labels
from finetune_operator.image_alone import image_alone
from finetune_operator.manifests.job import child_job, placement_of_prepare
from finetune_operator.manifests.pod import Work, build_pod_spec
from finetune_operator.names import deletion_name
from finetune_operator.settings import Settings

SECONDS = 300
"""How long it may take."""
RETRIES = 3
KEPT_SECONDS = 300
"""How long it stays afterwards, for its log."""
SCRATCH = "1Gi"


def build_deletion_job(document: JobDocument, settings: Settings, seconds: int = SECONDS) -> dict[str, Any]:
    """Placed as prepare, in the operator's image. It carries all it needs, and nobody owns it.

    A foreground deletion takes whatever the FineTuneJob owns: the ConfigMap with its document, and this Job too.
    `seconds`: how long it may take.
    """
    placed = placement_of_prepare(document, settings)
    work = Work(
        image=settings.operator_image,
        command=pod_layout.DELETE_COMMAND,
        resources=settings.prepare_resources.to_wire(),
        scratch_size=SCRATCH,
        shm_size=None,
        system=placed and image_alone(placed),
        deletes=True,
    )
    job = child_job(
        document,
        name=deletion_name(document.name, document.uid),
        marks={labels.KIND: "delete"},
        pod_spec=build_pod_spec(document, work, settings),
        remaining_seconds=seconds,
    )
    job["metadata"].pop("ownerReferences")
    job["spec"] |= {"backoffLimit": RETRIES, "ttlSecondsAfterFinished": KEPT_SECONDS}
    told = {labels.DELETION: _document(document).model_dump_json(by_alias=True, exclude_none=True)}
    job["spec"]["template"]["metadata"]["annotations"] = job["metadata"]["annotations"] | told
    return job


def _document(job: JobDocument) -> DeletionDocument:
    spec = job.spec
    assert spec.store is not None  # noqa: S101  filled in at acceptance
    return DeletionDocument(
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        store=spec.store,
        output=spec.output,
        reusable=spec.engine.cache,
    )
