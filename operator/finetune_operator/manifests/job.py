"""The child Jobs: prepare, and one for each stage. Pure."""

from typing import Any

from finetune_api import pod_layout
from finetune_api.failures import FIRST_PERMANENT, LAST_PERMANENT
from finetune_api.messages import JobDocument
from finetune_api.plan import Stage, needs_plugins, prepare_system
from finetune_api.resource.systems import System
from finetune_operator import labels
from finetune_operator.default_system import with_defaults
from finetune_operator.image_alone import image_alone
from finetune_operator.manifests.config_map import owner_reference
from finetune_operator.manifests.pod import Work, build_pod_spec
from finetune_operator.names import CONTAINER, DISRUPTION, prepare_name, stage_name
from finetune_operator.settings import Settings

PREPARE_SCRATCH = "5Gi"
PUBLISHING_SCRATCH = "50Gi"
"""Of a prepare that publishes what stages have made: between two accounts files go through it, one at a time."""


def build_prepare_job(
    document: JobDocument,
    attempt: int,
    settings: Settings,
    remaining_seconds: int | None,
    *,
    again: bool = False,
    publishes: bool = False,
    digest: str = "",
) -> dict[str, Any]:
    """The prepare Job of one attempt: no accelerator, little memory, the operator's image; with plugins theirs.

    It alone gets the key that signs the artifact, since it runs no pass; where plugins are to be loaded, not even it:
    then the key comes with the prepare that publishes, in the operator's image. `again`: an earlier one has used the
    store. `publishes`: all passes are committed. `digest`: of the document, in the job's ConfigMap.
    """
    placed = placement_of_prepare(document, settings)
    signed = document.spec.output is not None and document.spec.output.signing is not None
    loads_plugins = any(needs_plugins(document.spec, step) for step in document.spec.passes) and not (
        signed and publishes
    )
    signs = signed and not loads_plugins
    work = Work(
        image=placed.image if placed and loads_plugins else settings.operator_image,
        command=pod_layout.PREPARE_COMMAND,
        resources=settings.prepare_resources.to_wire(),
        scratch_size=PUBLISHING_SCRATCH if signs else PREPARE_SCRATCH,
        shm_size=None,
        system=placed if loads_plugins else placed and image_alone(placed),
        signs=signs,
        leaves_signing=signed and not signs,
        again=again,
        digest=digest,
    )
    return child_job(
        document,
        name=prepare_name(document.name, document.uid, attempt),
        marks={labels.KIND: "prepare", labels.ATTEMPT: str(attempt)},
        pod_spec=build_pod_spec(document, work, settings),
        remaining_seconds=remaining_seconds,
    )


def build_stage_job(
    document: JobDocument,
    stage: Stage,
    attempt: int,
    settings: Settings,
    remaining_seconds: int | None,
    *,
    grace_seconds: int | None = None,
    digest: str = "",
) -> dict[str, Any]:
    """The Job of one stage, planned by one prepare attempt: its system's image, resources and queue.

    `grace_seconds`: that its pod has to stop; None: as many as its system says.
    """
    system = stage.system
    work = Work(
        image=system.image,
        command=(*pod_layout.STAGE_COMMAND, str(stage.index)),
        resources=stage_resources(system),
        scratch_size=system.scratch_size,
        shm_size=system.shm_size,
        system=system,
        grace_seconds=grace_seconds or system.termination_grace_period_seconds,
        digest=digest,
    )
    job = child_job(
        document,
        name=stage_name(document.name, document.uid, stage.index, system.name, attempt),
        marks={labels.KIND: "stage", labels.ATTEMPT: str(attempt), labels.STAGE: str(stage.index)},
        pod_spec=build_pod_spec(document, work, settings),
        remaining_seconds=remaining_seconds,
    )
    return queued(job, system) if system.queue_name else job


def queued(job: dict[str, Any], system: System) -> dict[str, Any]:
    """The Job as Kueue takes it: suspended, so that it gets no pod before Kueue admits it to the system's queue.

    Source: https://kueue.sigs.k8s.io/docs/tasks/run/jobs/
    """
    wanted = {labels.QUEUE_NAME: system.queue_name, labels.QUEUE_PRIORITY: system.workload_priority_class_name}
    marks = job["metadata"]["labels"] | {name: value for name, value in wanted.items() if value}
    return job | {"metadata": job["metadata"] | {"labels": marks}, "spec": job["spec"] | {"suspend": True}}


def stage_resources(system: System) -> dict[str, Any]:
    """The system's resources; the accelerator in requests and limits, as extended resources must be."""
    wire = system.resources.to_wire()
    if system.accelerator is None:
        return wire
    count = {system.accelerator.resource_name: str(system.accelerator.count)}
    return {part: wire.get(part, {}) | count for part in ("requests", "limits")}


def pod_failure_policy() -> dict[str, Any]:
    """What another attempt can't change fails at once; disruptions don't count; the rest is retried.

    Decided by the Job controller, so that it holds while the operator is down.
    """
    permanent = list(range(FIRST_PERMANENT, LAST_PERMANENT + 1))
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": permanent},
            },
            {"action": "Ignore", "onPodConditions": [{"type": DISRUPTION, "status": "True"}]},
        ]
    }


def child_job(
    document: JobDocument,
    *,
    name: str,
    marks: dict[str, str],
    pod_spec: dict[str, Any],
    remaining_seconds: int | None,
) -> dict[str, Any]:
    """A Job with what all have in common."""
    carried = labels.of_job(document.name, document.uid, marks[labels.KIND]) | marks
    annotations = {labels.JOB_NAME: document.name}
    spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": document.spec.backoff_limit,
        "podFailurePolicy": pod_failure_policy(),
        "template": {"metadata": {"labels": carried, "annotations": annotations}, "spec": pod_spec},
    }
    if remaining_seconds is not None:
        spec["activeDeadlineSeconds"] = remaining_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": document.namespace,
            "labels": carried,
            "annotations": annotations,
            "ownerReferences": [owner_reference(document.name, document.uid)],
        },
        "spec": spec,
    }


def placement_of_prepare(document: JobDocument, settings: Settings) -> System | None:
    """The system whose placement prepare shares; None for none."""
    name = prepare_system(document.spec)
    return next((system for system in document.spec.systems if system.name == name), None) or _default_placement(
        settings
    )


def _default_placement(settings: Settings) -> System | None:
    """For a prepare that shares no system's: what all systems get."""
    return with_defaults(System(name="prepare"), settings.default_system) if settings.default_system else None
