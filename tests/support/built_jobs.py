"""The child Jobs that the operator makes of a FineTuneJob, and what of them tests look at."""

from typing import Any

from api_specs import spec_of
from finetune_api.messages import JobDocument
from finetune_api.plan import plan
from finetune_operator.manifests.job import build_prepare_job, build_stage_job
from operator_world import SETTINGS, UID

PLACEMENT = {
    "nodeSelector": {"pool": "a"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "serviceAccountName": "trainer",
    "imagePullSecrets": [{"name": "pull"}],
    "env": [{"name": "HF_HOME", "value": "/cache"}, {"name": "FINETUNE_POD_UID", "value": "forged"}],
    "volumes": [{"name": "venv", "mountPath": "/opt/venv", "persistentVolumeClaim": {"claimName": "ml-env"}}],
}
Wire = dict[str, Any]


def document(**parts: Any) -> JobDocument:
    systems = [
        {
            "name": "gpu",
            "accelerator": {"count": 2},
            "image": "registry.test/runner:1",
            "resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "9Gi"}},
            **PLACEMENT,
        },
        {"name": "cpu", "image": "registry.test/runner:1"},
    ]
    return JobDocument(namespace="team", name="tone", uid=UID, spec=spec_of(**({"systems": systems} | parts)))


def prepare_job(doc: JobDocument | None = None, *, publishes: bool = False) -> Wire:
    return build_prepare_job(doc or document(), 1, SETTINGS, None, publishes=publishes)


def stage_job(index: int = 0, doc: JobDocument | None = None) -> Wire:
    doc = doc or document()
    return build_stage_job(doc, plan(doc.spec).stages[index], 1, SETTINGS, None)


def pod_of(job: Wire) -> Wire:
    return job["spec"]["template"]["spec"]


def container_of(job: Wire) -> Wire:
    (container,) = pod_of(job)["containers"]
    return container


def mounts_of(job: Wire) -> dict[str, tuple[Wire, bool]]:
    """Mount path to volume source and whether it is read-only."""
    sources = {volume["name"]: volume for volume in pod_of(job)["volumes"]}
    return {m["mountPath"]: (sources[m["name"]], m["readOnly"]) for m in container_of(job)["volumeMounts"]}
