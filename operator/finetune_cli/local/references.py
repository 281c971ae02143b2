"""What a spec expects of the cluster: claims, secrets, config maps, each with its place. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from finetune_api.data_used import data_used
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.locations import ConfigMapKey, SecretKeyReference, SecretReference, VolumeLocation

Kind = Literal["claim", "secret", "config map"]
S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Reference:
    """A name that only means something in a cluster."""

    kind: Kind
    name: str
    keys: tuple[str, ...]
    """Keys that are read, for a secret or a config map."""
    path: str
    """Its place, such as spec.store.s3.credentialsSecretRef."""


def references(spec: FineTuneJobSpec) -> list[Reference]:
    """All that a spec's sources, store, output and environment refer to.

    Systems' volumes are not among them, nor is data that no pass uses.
    """
    used = data_used(spec)
    unused = tuple(f"spec.dataConfigs[{index}]." for index in range(len(spec.data_configs)) if index not in used)
    return [found for found in within(spec, "spec") if not found.path.startswith(unused)]


def within(value: object, path: str) -> Iterator[Reference]:
    """What a part of a spec refers to; path is its place."""
    if isinstance(value, VolumeLocation):
        yield Reference("claim", value.claim_name, (), f"{path}.claimName")
    elif isinstance(value, SecretReference):
        yield Reference("secret", value.name, S3_KEYS, path)
    elif isinstance(value, SecretKeyReference):
        yield Reference("secret", value.name, (value.key,), path)
    elif isinstance(value, ConfigMapKey):
        yield Reference("config map", value.name, (value.key,), path)
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from within(getattr(value, name), f"{path}.{field.alias or name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from within(item, f"{path}[{index}]")
