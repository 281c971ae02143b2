"""The operator's settings, from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from finetune_api.resource.base import Model
from finetune_api.resource.job import Store
from finetune_api.resource.systems import Resources
from finetune_api.validate.env import env_problems
from finetune_api.validate.mounts import mount_problems
from finetune_operator.default_system import DefaultSystem
from finetune_operator.pod_identity import PodIdentity, own_identity

M = TypeVar("M", bound=Model)

HEALTH_PORT = 8081
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
LOG_FORMATS = ("text", "json")
LONGEST_SECONDS = 30 * 86400
HIGHEST_PORT = 65535
LOG_LEVELS = ("debug", "info", "warning", "error")


def prepare_resources() -> Resources:
    """What prepare gets unless the operator is told otherwise.

    A quota that bounds limits takes no pod without them. Its scratch space is ephemeral storage: 50Gi where it signs.
    """
    return Resources(
        requests={"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        limits={"cpu": "2", "memory": "2Gi", "ephemeral-storage": "52Gi"},
    )


class SettingsError(ValueError):
    """An environment variable that is missing or makes no sense; the text names it."""


@dataclass(frozen=True)
class LeaseSettings:
    """The Lease that the leading one of several operators holds."""

    namespace: str
    name: str
    identity: str
    """Of this operator; its pod's name, so that a restarted container leads on."""


@dataclass(frozen=True)
class Settings:
    operator_image: str
    """Runs prepare."""
    runner_image: str
    """Runs the stages of systems that name no image; fixed for a job when it is accepted."""
    runner_cuda_image: str = ""
    """The same for systems on which artifacts for CUDA are run; empty: runner_image."""
    image_pull_policy: str = "IfNotPresent"
    watch_namespaces: tuple[str, ...] = ()
    """Empty: all namespaces."""
    default_store: Store | None = None
    default_system: DefaultSystem | None = None
    """What systems get that do not say otherwise."""
    prepare_resources: Resources = field(default_factory=prepare_resources)
    """Of the pods that prepare jobs, and of those that remove artifacts."""
    pod_identity: PodIdentity = field(default_factory=own_identity)
    """Who the pods of jobs run as."""
    pod_start_seconds: float = 600
    """How long a pod may wait for its image, or for a Secret its env names, before its job fails."""
    unschedulable_seconds: float = 86400
    """How long a pod may wait for a node that fits before its job fails."""
    kueue: bool = False
    """Whether the cluster has Kueue, and the operator may read what it says."""
    lease: LeaseSettings | None = None
    """None: this is the only operator."""
    progress_interval_seconds: float = 5
    resync_seconds: float = 60
    watch_seconds: float = 600
    """For how long a watch may go on without being begun anew before liveness fails.

    One that is well is begun anew after half of it, or 300 seconds, one that is silent after 70.
    """
    workers: int = 8
    """Jobs that are worked on at the same time."""
    log_format: str = "text"
    pod_log_format: str = "text"
    """Of the pods of jobs."""
    log_level: str = "info"
    liveness_endpoint: str = f"http://0.0.0.0:{HEALTH_PORT}/healthz"
    """Where the kubelet asks: in the cluster at the pod's own address, which may be of IPv6 alone."""
    metrics_port: int = 0
    """Where /metrics is served; 0: nowhere."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in an environment.

        Raises:
            SettingsError: a variable is missing or makes no sense.
        """
        return cls(
            operator_image=_required(environ, "FINETUNE_OPERATOR_IMAGE"),
            runner_image=_required(environ, "FINETUNE_RUNNER_IMAGE"),
            runner_cuda_image=environ.get("FINETUNE_RUNNER_CUDA_IMAGE", "").strip(),
            image_pull_policy=_choice(environ, "FINETUNE_IMAGE_PULL_POLICY", PULL_POLICIES, "IfNotPresent"),
            watch_namespaces=_words(environ.get("FINETUNE_WATCH_NAMESPACES", "")),
            default_store=_model(environ, "FINETUNE_DEFAULT_STORE", Store, "a store as in spec.store"),
            default_system=_default_system(environ, "FINETUNE_DEFAULT_SYSTEM"),
            prepare_resources=_model(environ, "FINETUNE_PREPARE_RESOURCES", Resources, "resources as in spec.systems")
            or prepare_resources(),
            pod_identity=_pod_identity(environ, "FINETUNE_POD_SECURITY"),
            pod_start_seconds=_seconds(environ, "FINETUNE_POD_START_SECONDS", 600),
            unschedulable_seconds=_seconds(environ, "FINETUNE_UNSCHEDULABLE_SECONDS", 86400),
            kueue=_choice(environ, "FINETUNE_KUEUE", ("true", "false"), "false") == "true",
            lease=_lease(environ),
            progress_interval_seconds=_seconds(environ, "FINETUNE_PROGRESS_INTERVAL_SECONDS", 5),
            resync_seconds=_seconds(environ, "FINETUNE_RESYNC_SECONDS", 60),
            watch_seconds=_seconds(environ, "FINETUNE_WATCH_SECONDS", 600),
            workers=int(_seconds(environ, "FINETUNE_WORKERS", 8)),
            log_format=_choice(environ, "FINETUNE_LOG_FORMAT", LOG_FORMATS, "text"),
            pod_log_format=_choice(environ, "FINETUNE_POD_LOG_FORMAT", LOG_FORMATS, "text"),
            log_level=_choice(environ, "FINETUNE_LOG_LEVEL", LOG_LEVELS, "info"),
            liveness_endpoint=_liveness_endpoint(environ.get("FINETUNE_POD_IP", "")) or cls.liveness_endpoint,
            metrics_port=_port(environ, "FINETUNE_METRICS_PORT"),
        )


def _liveness_endpoint(pod_ip: str) -> str:
    host = f"[{pod_ip}]" if ":" in pod_ip else pod_ip
    return f"http://{host}:{HEALTH_PORT}/healthz" if host else ""


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, "").strip():
        return value
    msg = f"{name} is not set"
    raise SettingsError(msg)


def _lease(environ: Mapping[str, str]) -> LeaseSettings | None:
    name = environ.get("FINETUNE_LEASE_NAME", "").strip()
    if not name:
        return None
    namespace, pod = _required(environ, "FINETUNE_POD_NAMESPACE"), _required(environ, "FINETUNE_POD_NAME")
    return LeaseSettings(namespace, name, pod)


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = environ.get(name) or default
    if value not in choices:
        msg = f"{name} is {value!r}; use one of {', '.join(choices)}"
        raise SettingsError(msg)
    return value


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """A number of at least 1, so that no loop spins."""
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError as error:
        msg = f"{name} is {text!r}, which is not a number"
        raise SettingsError(msg) from error
    if not 1 <= value <= LONGEST_SECONDS:
        msg = f"{name} is {text}; it must lie between 1 and {LONGEST_SECONDS}"
        raise SettingsError(msg)
    return value


def _port(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name) or "0"
    if text.isdecimal() and int(text) <= HIGHEST_PORT:
        return int(text)
    msg = f"{name} is {text!r}; use a port up to {HIGHEST_PORT}, or 0 for none"
    raise SettingsError(msg)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _model(environ: Mapping[str, str], name: str, kind: type[M], what: str) -> M | None:
    text = environ.get(name, "").strip()
    if text in ("", "{}", "null"):
        return None
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        msg = f"{name} is not {what}: {error}"
        raise SettingsError(msg) from error


def _pod_identity(environ: Mapping[str, str], name: str) -> PodIdentity:
    """Unset: the images' user; {} leaves all to the platform."""
    if not environ.get(name, "").strip():
        return own_identity()
    return _model(environ, name, PodIdentity, "a user and groups as in a pod's securityContext") or PodIdentity()


def _default_system(environ: Mapping[str, str], name: str) -> DefaultSystem | None:
    """Held to what a system may say itself: what it adds to a job's is not validated again."""
    default = _model(environ, name, DefaultSystem, "fields of a system as in spec.systems")
    if default is None:
        return None
    problems = [
        *env_problems(default.env, "defaultSystem.env"),
        *mount_problems(default.volumes, "defaultSystem.volumes"),
    ]
    if problems:
        msg = f"{name}: {'; '.join(str(problem) for problem in problems)}"
        raise SettingsError(msg)
    return default
