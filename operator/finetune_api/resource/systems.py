"""spec.systems: the kinds of pod that passes run in."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.reserved_places import mount_rule
from finetune_api.resource.base import (
    Bounded,
    ClaimName,
    ConfigMapName,
    Governed,
    Model,
    Name,
    OneOf,
    SecretName,
    empty_list,
    named_list,
)
from finetune_api.resource.locations import ConfigMapKey, SecretKeyReference

Quantity = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$", max_length=32),
]
_UNITS = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(1000)} | {
    letter + suffix: Decimal(base) ** power
    for power, letter in enumerate("KMGTPE", start=1)
    for suffix, base in (("", 1000), ("i", 1024))
    if letter + suffix != "K"  # 1000 is k
}
LabelText = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9.-]+(/[a-zA-Z0-9._-]+)?$", max_length=317)]
QueueName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=63)]
"""Of an object of Kueue's, which takes it from a label, hence at most 63 characters; empty: none."""
_PRIORITY = Governed("priorityClasses", Bounded.NAMED_OR_EMPTY)
PriorityClassName = Annotated[str, StringConstraints(max_length=253), _PRIORITY]
VariableName = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", max_length=253)]
MountPath = Annotated[str, StringConstraints(pattern=r"^/[^:]*$", max_length=1024)]
ImageReference = Annotated[str, StringConstraints(max_length=512), Governed("images", Bounded.NAMED_OR_EMPTY)]
ServiceAccountName = Annotated[
    str, StringConstraints(max_length=253), Governed("serviceAccounts", Bounded.NAMED_OR_EMPTY)
]
EnvName = Annotated[VariableName, Governed("environment")]


def amount(quantity: str) -> Decimal:
    """What a quantity comes to: 500m → 0.5, 1Ki → 1024."""
    number = quantity.rstrip("mkKMGTPEi")
    return Decimal(number) * _UNITS[quantity.removeprefix(number)]


class Accelerator(Model):
    """An extended resource that the system's pods ask for."""

    resource_name: ResourceName = Field(
        default="nvidia.com/gpu", description="Extended resource, as the device plugin names it."
    )
    count: int = Field(
        default=1,
        ge=1,
        le=16,
        description="How many a pod asks for. The runner's own passes compute on one; more are for plugins.",
    )
    memory: Quantity | None = Field(
        default=None,
        description="Memory of one, such as 24Gi. With it (or with nvidia.com/gpu.memory in nodeSelector) a pass whose weights"
        " can't fit is refused before an accelerator is asked for.",
    )


class ImagePullSecret(Model):
    name: SecretName = Field(description="Name of a Secret of type kubernetes.io/dockerconfigjson.")


class Toleration(Model):
    """As in a Pod."""

    key: LabelText = Field(default="", description="Taint key; empty with operator Exists tolerates all.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How key and value are compared.")
    value: LabelValue = Field(default="", description="Taint value.")
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        default="", description="Taint effect; empty for all."
    )
    toleration_seconds: int | None = Field(default=None, ge=0, description="How long a NoExecute taint is tolerated.")


class EnvSource(OneOf):
    """Where an environment variable's value comes from."""

    variants: ClassVar[tuple[str, ...]] = ("secret_key_ref", "config_map_key_ref")

    secret_key_ref: SecretKeyReference | None = Field(default=None, description="A key of a Secret.")
    config_map_key_ref: ConfigMapKey | None = Field(default=None, description="A key of a ConfigMap.")


class EnvVar(Model):
    """As in a Pod."""

    name: EnvName = Field(description="Variable's name.")
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(default=None, description="Literal value.")
    value_from: EnvSource | None = Field(default=None, description="A secret's or config map's key.")


class ClaimVolume(Model):
    claim_name: ClaimName = Field(description="PersistentVolumeClaim in the job's namespace.")


class ConfigMapVolume(Model):
    name: ConfigMapName = Field(description="ConfigMap in the job's namespace.")


class SecretVolume(Model):
    secret_name: SecretName = Field(description="Secret in the job's namespace.")


class Volume(OneOf):
    """A volume mounted into the system's pods."""

    rules: ClassVar[tuple[dict[str, str], ...]] = (mount_rule(),)
    variants: ClassVar[tuple[str, ...]] = ("persistent_volume_claim", "config_map", "secret")

    name: Name = Field(description="Name of the volume.")
    mount_path: MountPath = Field(
        description="Where it is mounted: nowhere that hides what the pod has, such as /usr, /opt/finetune or /work."
    )
    read_only: bool = Field(default=True, description="Mount it read-only.")
    persistent_volume_claim: ClaimVolume | None = Field(default=None, description="A PersistentVolumeClaim.")
    config_map: ConfigMapVolume | None = Field(default=None, description="A ConfigMap.")
    secret: SecretVolume | None = Field(default=None, description="A Secret.")


Amounts = Annotated[dict[LabelText, Quantity], Field(max_length=16), Governed("accelerators", Bounded.MEASURED)]


class Resources(Model):
    """Compute resources of a pod; the accelerator is added by the operator."""

    requests: Amounts = Field(
        default_factory=dict,
        description="What a pod is guaranteed, such as {cpu: '2', memory: 8Gi}.",
    )
    limits: Amounts = Field(
        default_factory=dict,
        description="What a pod may use at most.",
    )


class System(Model):
    """A kind of pod. Consecutive passes on one system share a pod; its accelerator is held only that long."""

    rules: ClassVar[tuple[dict[str, str], ...]] = (
        {
            "rule": "!has(self.workloadPriorityClassName) || self.workloadPriorityClassName == '' || (has(self.queueName) &&"
            " self.queueName != '')",
            "message": "workloadPriorityClassName orders a queue, and there is none: set queueName, or use priorityClassName",
        },
    )

    name: Name = Field(description="Name that passes refer to.")
    accelerator: Annotated[Accelerator | None, Governed("accelerators", Bounded.COUNTED)] = Field(
        default=None, description="Accelerator a pod holds; unset for a CPU system."
    )
    image: ImageReference = Field(
        default="", description="Runner image; empty for the operator's default, pinned at acceptance."
    )
    image_pull_secrets: list[ImagePullSecret] = named_list("Secrets for pulling the image.")
    service_account_name: ServiceAccountName = Field(
        default="",
        description="Service account, for workload identity. No API token is mounted in any case.",
    )
    node_selector: Annotated[dict[LabelText, LabelValue], Field(max_length=16)] = Field(
        default_factory=dict,
        description="Labels a node must have.",
    )
    tolerations: list[Toleration] = Field(
        default_factory=empty_list, max_length=16, description="Taints the pods tolerate."
    )
    env: list[EnvVar] = named_list("Additional environment variables.")
    volumes: list[Volume] = named_list("Additional volumes.")
    shm_size: Quantity = Field(default="1Gi", description="Size of /dev/shm, which data loading uses.")
    scratch_size: Quantity = Field(
        default="50Gi", description="Limit of the pod's scratch space, where models are unpacked."
    )
    resources: Resources = Field(default_factory=Resources, description="Compute resources of a pod.")
    queue_name: Annotated[QueueName, Governed("queues")] = Field(
        default="",
        description="Kueue's LocalQueue in the job's namespace that each stage waits in for quota; empty for none.",
    )
    priority_class_name: PriorityClassName = Field(
        default="", description="PriorityClass of the pods, and where they queue of the stage's workload."
    )
    workload_priority_class_name: Annotated[QueueName, _PRIORITY] = Field(
        default="",
        description="Kueue's WorkloadPriorityClass: the stage's place in the queue and whom it preempts, instead of the pods'"
        " priority.",
    )
    termination_grace_period_seconds: int = Field(
        default=60,
        ge=10,
        le=3600,
        description="Time a stage's pod has at least, once it is asked to stop, to end its training step and keep a checkpoint:"
        " more where prepare estimates a large one.",
    )
