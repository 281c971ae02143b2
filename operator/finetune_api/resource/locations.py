"""Where models, data, the store and the output lie."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, field_validator

from finetune_api.resource.base import ClaimName, ConfigMapName, Governed, Model, SecretName

SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)]
RelativePath = Annotated[
    str,
    StringConstraints(pattern=r"^[^/].*$|^$", max_length=1024),
]

LEADS_OUT = "path must not lead out of the volume: leave out .."

S3Uri = Annotated[
    str,
    StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", max_length=1024),
    Governed("buckets"),
]
Endpoint = Annotated[str, StringConstraints(pattern=r"^(https?://[^@?#]+)?$", max_length=1024)]
"""Without user and password: clients quote it in errors, and a spec has more readers than a Secret."""
S3Endpoint = Annotated[Endpoint, Governed("s3Endpoints")]
HubEndpoint = Annotated[Endpoint, Governed("hubEndpoints")]
Repository = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$", max_length=192),
    Governed("repositories"),
]


class SecretReference(Model):
    """A Secret in the job's own namespace."""

    name: SecretName = Field(description="Name of a Secret in the job's namespace.")


class SecretKeyReference(Model):
    """One key of a Secret in the job's own namespace."""

    name: SecretName = Field(description="Name of a Secret in the job's namespace.")
    key: SecretKey = Field(description="Key within the Secret.")


class S3Location(Model):
    """An object or a prefix in S3 or an S3-compatible service."""

    uri: S3Uri = Field(
        description="s3://bucket/key or s3://bucket/prefix.",
    )
    endpoint: S3Endpoint = Field(
        default="",
        description="URL of an S3-compatible service; empty for AWS.",
    )
    region: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="Region; empty for the service's default (us-east-1).",
    )
    credentials_secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN where one is"
        " used). Unset: the pod's own identity (workload identity, instance role).",
    )
    ca_bundle: Annotated[str, StringConstraints(max_length=65536)] = Field(
        default="",
        description="PEM certificates to trust for the endpoint, instead of the image's own.",
    )

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def key(self) -> str:
        """The key or prefix, without leading or trailing slash; empty for the whole bucket."""
        return self.uri.removeprefix("s3://").partition("/")[2].strip("/")


class VolumeLocation(Model):
    """A file or a folder in a PersistentVolumeClaim."""

    rules: ClassVar[tuple[dict[str, str], ...]] = (
        {"rule": "!has(self.path) || !self.path.split('/').exists(part, part == '..')", "message": LEADS_OUT},
    )

    claim_name: ClaimName = Field(description="PersistentVolumeClaim in the job's namespace.")
    path: RelativePath = Field(
        default="", description="Path within the volume, without a leading slash; empty for all of it."
    )

    @field_validator("path")
    @classmethod
    def _within(cls, path: str) -> str:
        if ".." in path.split("/"):
            raise ValueError(LEADS_OUT)
        return path


class HuggingFaceRepository(Model):
    """A repository on the Hugging Face hub."""

    repo: Repository = Field(description="Repository, such as microsoft/Phi-3-mini-4k-instruct.")
    revision: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        default="main",
        description="Branch, tag or commit. Prepare pins it to a commit.",
    )
    endpoint: HubEndpoint = Field(
        default="",
        description="URL of a mirror of the hub; empty for the hub itself.",
    )
    token_secret_ref: SecretKeyReference | None = Field(
        default=None,
        description="Access token for gated or private repositories.",
    )


class ConfigMapKey(Model):
    """One key of a ConfigMap in the job's own namespace."""

    name: ConfigMapName = Field(description="Name of a ConfigMap in the job's namespace.")
    key: SecretKey = Field(description="Key within the ConfigMap, a file in the data config's format.")
