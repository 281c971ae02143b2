"""The pod of a child Job: hardened, and mounted as finetune_api.pod_layout says. Pure."""

from dataclasses import dataclass
from typing import Any

from finetune_api import pod_layout
from finetune_api.messages import JobDocument
from finetune_api.resource.systems import System, Volume
from finetune_api.validate.env import OWN_ENV_PREFIX
from finetune_operator import labels
from finetune_operator.manifests.config_map import JOB_KEY
from finetune_operator.manifests.references import References, references, written_references
from finetune_operator.names import CONTAINER, config_map_name, volume_name
from finetune_operator.pod_identity import pod_security_context
from finetune_operator.settings import Settings

GRACE_SECONDS = 60
"""Of pods that have no checkpoint to keep."""
POD_NAME_ENV = "FINETUNE_POD_NAME"
VOLUME_KINDS = ("persistentVolumeClaim", "configMap", "secret")


@dataclass(frozen=True)
class Work:
    """What the pod of a child runs, and with what."""

    image: str
    command: tuple[str, ...]
    resources: dict[str, Any]
    scratch_size: str
    shm_size: str | None
    system: System | None
    """Whose placement it shares."""
    grace_seconds: int = GRACE_SECONDS
    """From SIGTERM to SIGKILL."""
    signs: bool = False
    """Whether it gets the key that signs the artifact."""
    leaves_signing: bool = False
    """Whether it is a prepare that gets no key, though the artifact is to be signed."""
    again: bool = False
    """Whether an earlier pod of its kind has used the store."""
    digest: str = ""
    """Of the document that the job was accepted as, in its ConfigMap; empty where that is not known."""
    deletes: bool = False
    """Whether it gets only what to delete, from its own annotation, and what store and output refer to."""


def build_pod_spec(document: JobDocument, work: Work, settings: Settings) -> dict[str, Any]:
    volumes, mounts = _volumes(document, work)
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": work.grace_seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(settings.pod_identity),
        "containers": [_container(work, settings, mounts)],
        "volumes": volumes,
    } | _placement(work.system)


def _container(work: Work, settings: Settings, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": work.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": list(work.command),
        "workingDir": pod_layout.WORK,
        "env": _environment(work, settings.pod_log_format),
        "ports": [{"name": "progress", "containerPort": pod_layout.PROGRESS_PORT, "protocol": "TCP"}],
        "resources": work.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": pod_layout.TERMINATION_MESSAGE,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _environment(work: Work, log_format: str) -> list[dict[str, Any]]:
    """Ours, then the system's: a system may move caches, but not change who the pod is."""
    system = work.system
    scratch = {
        "HOME": f"{pod_layout.WORK}/home",
        "TMPDIR": f"{pod_layout.WORK}/tmp",  # noqa: S108 - in the pod's own scratch
        "HF_HOME": f"{pod_layout.WORK}/home/huggingface",
    }
    given = [v.to_wire() for v in system.env if not v.name.startswith(OWN_ENV_PREFIX)] if system else []
    overridden = {variable["name"] for variable in given}
    return [
        _from_field(pod_layout.POD_UID_ENV, "metadata.uid"),
        _from_field(POD_NAME_ENV, "metadata.name"),
        *([{"name": pod_layout.AGAIN_ENV, "value": "1"}] if work.again else []),
        *([{"name": pod_layout.WITHOUT_KEY_ENV, "value": "1"}] if work.leaves_signing else []),
        *([{"name": pod_layout.GRACE_ENV, "value": str(work.grace_seconds)}] if _has_longer(work) else []),
        *([{"name": pod_layout.LOG_FORMAT_ENV, "value": log_format}] if log_format != "text" else []),
        *([{"name": pod_layout.DIGEST_ENV, "value": work.digest}] if work.digest else []),
        *({"name": name, "value": value} for name, value in scratch.items() if name not in overridden),
        *(map(_if_there, given) if work.deletes else given),
    ]


def _has_longer(work: Work) -> bool:
    """Whether the pod has longer to stop than its system says, which it could not know."""
    return work.system is not None and work.grace_seconds > work.system.termination_grace_period_seconds


def _if_there(variable: dict[str, Any]) -> dict[str, Any]:
    """A variable that is left out where its Secret or ConfigMap is gone, as when they are deleted with their job."""
    refs = {kind: ref | {"optional": True} for kind, ref in variable.get("valueFrom", {}).items()}
    return variable | {"valueFrom": refs} if refs else variable


def _from_field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _placement(system: System | None) -> dict[str, Any]:
    if system is None:
        return {}
    fields: dict[str, Any] = {
        "nodeSelector": dict(system.node_selector),
        "tolerations": [_without_empty(t.to_wire()) for t in system.tolerations],
        "serviceAccountName": system.service_account_name,
        "priorityClassName": system.priority_class_name,
        "imagePullSecrets": [secret.to_wire() for secret in system.image_pull_secrets],
    }
    return {name: value for name, value in fields.items() if value}


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """An empty string means unset here, as in a Pod."""
    return {name: value for name, value in fields.items() if value != ""}


def _volumes(document: JobDocument, work: Work) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pod's volumes and the container's mounts."""
    pairs = [_deletion_file() if work.deletes else _job_file(document), _scratch(work.scratch_size)]
    if work.shm_size:
        pairs.append(_shared_memory(work.shm_size))
    found = written_references(document.spec) if work.deletes else references(document.spec)
    pairs += _referenced(found, signs=work.signs)
    given = work.system.volumes if work.system else []
    if work.deletes:
        pairs += [_given_if_there(volume) for volume in given if not volume.persistent_volume_claim]
    else:
        pairs += [_given(volume) for volume in given]
    return [volume for volume, _ in pairs], [mount for _, mount in pairs]


Mounted = tuple[dict[str, Any], dict[str, Any]]


def _mounted(name: str, source: dict[str, Any], path: str, *, read_only: bool) -> Mounted:
    return {"name": name} | source, {"name": name, "mountPath": path, "readOnly": read_only}


def _job_file(document: JobDocument) -> Mounted:
    folder, _, file = pod_layout.JOB_FILE.rpartition("/")
    source = {"name": config_map_name(document.name, document.uid), "items": [{"key": JOB_KEY, "path": file}]}
    return _mounted("job", {"configMap": source}, folder, read_only=True)


def _deletion_file() -> Mounted:
    """From the pod itself: the job's ConfigMap may be gone."""
    folder, _, file = pod_layout.DELETION_FILE.rpartition("/")
    annotation = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{labels.DELETION}']"}
    source = {"items": [{"path": file, "fieldRef": annotation}]}
    return _mounted("deletion", {"downwardAPI": source}, folder, read_only=True)


def _scratch(size: str) -> Mounted:
    return _mounted("work", {"emptyDir": {"sizeLimit": size}}, pod_layout.WORK, read_only=False)


def _shared_memory(size: str) -> Mounted:
    return _mounted("shm", {"emptyDir": {"medium": "Memory", "sizeLimit": size}}, "/dev/shm", read_only=False)  # noqa: S108


def _referenced(found: References, *, signs: bool) -> list[Mounted]:
    """Optional mounts: what is missing is an empty folder, which the runner can name; else the pod would hang."""
    secrets = [
        _optional("secret", name, {"secret": {"secretName": name, "optional": True}}, pod_layout.SECRETS)
        for name in (*found.secrets, *([found.signing_secret] if signs and found.signing_secret else []))
    ]
    config_maps = [
        _optional("configmap", name, {"configMap": {"name": name, "optional": True}}, pod_layout.CONFIG_MAPS)
        for name in found.config_maps
    ]
    claims = [
        _mounted(
            volume_name("claim", claim),
            {"persistentVolumeClaim": {"claimName": claim}},
            f"{pod_layout.VOLUMES}/{claim}",
            read_only=not writable,
        )
        for claim, writable in found.claims
    ]
    return secrets + config_maps + claims


def _optional(kind: str, name: str, source: dict[str, Any], below: str) -> Mounted:
    return _mounted(volume_name(kind, name), source, f"{below}/{name}", read_only=True)


def _given(volume: Volume) -> Mounted:
    """A system's own volume; its name can't meet one of ours."""
    wire = volume.to_wire()
    source = {kind: value for kind, value in wire.items() if kind in VOLUME_KINDS}
    return _mounted(volume_name("system", volume.name), source, volume.mount_path, read_only=volume.read_only)


def _given_if_there(volume: Volume) -> Mounted:
    """The same, empty where its Secret or ConfigMap is gone."""
    found, mount = _given(volume)
    return {k: v | {"optional": True} if k in VOLUME_KINDS else v for k, v in found.items()}, mount
