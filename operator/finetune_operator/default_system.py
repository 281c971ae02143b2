"""What every job's systems get from the operator, where they do not say otherwise: proxies, certificates. Pure."""

from collections.abc import Iterator, Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from finetune_api.resource.base import MAX_NAMED, Model, empty_list, named_list
from finetune_api.resource.systems import (
    EnvVar,
    ImagePullSecret,
    LabelText,
    LabelValue,
    ServiceAccountName,
    System,
    Toleration,
    Volume,
)
from finetune_api.validate import Problem

MOST_PLACING = 16
"""Node labels, and tolerations, of a system."""

Named = TypeVar("Named", bound=EnvVar | ImagePullSecret | Volume)


class DefaultSystem(Model):
    """Fields of a system, as in spec.systems."""

    env: list[EnvVar] = named_list("Environment variables.")
    volumes: list[Volume] = named_list("Volumes, of claims, ConfigMaps and Secrets in the job's own namespace.")
    image_pull_secrets: list[ImagePullSecret] = named_list("Secrets for pulling the image, in the job's own namespace.")
    service_account_name: ServiceAccountName = Field(default="", description="Service account.")
    node_selector: Annotated[dict[LabelText, LabelValue], Field(max_length=MOST_PLACING)] = Field(
        default_factory=dict, description="Labels a node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=empty_list, max_length=MOST_PLACING, description="Taints tolerated."
    )


def with_defaults(system: System, default: DefaultSystem) -> System:
    """The system with what it leaves open.

    Of env, volumes and pull secrets it gets those whose name it does not use; of volumes, nor whose place.
    """
    places = {volume.mount_path for volume in system.volumes}
    return system.model_copy(
        update={
            "env": _joined(system.env, default.env),
            "volumes": _joined(system.volumes, [v for v in default.volumes if v.mount_path not in places]),
            "image_pull_secrets": _joined(system.image_pull_secrets, default.image_pull_secrets),
            "service_account_name": system.service_account_name or default.service_account_name,
            "node_selector": default.node_selector | system.node_selector,
            "tolerations": [*system.tolerations, *(t for t in default.tolerations if t not in system.tolerations)],
        }
    )


def overfull(systems: Sequence[System], default: DefaultSystem) -> Iterator[Problem]:
    """Where there is more with the defaults than a system may have."""
    for index, system in enumerate(systems):
        filled = with_defaults(system, default)
        for name, items, most in (
            ("env", filled.env, MAX_NAMED),
            ("volumes", filled.volumes, MAX_NAMED),
            ("imagePullSecrets", filled.image_pull_secrets, MAX_NAMED),
            ("nodeSelector", filled.node_selector, MOST_PLACING),
            ("tolerations", filled.tolerations, MOST_PLACING),
        ):
            if len(items) > most:
                message = f"{len(items)} with those that the operator adds, of which there may be {most}"
                yield Problem(f"spec.systems[{index}].{name}", message, "name fewer")


def _joined(own: Sequence[Named], default: Sequence[Named]) -> list[Named]:
    used = {item.name for item in own}
    return [*own, *(item for item in default if item.name not in used)]
