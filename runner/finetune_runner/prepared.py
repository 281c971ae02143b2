"""prepared.json: what prepare found out, for the stages and for a later prepare of the same job."""

from typing import Literal

from pydantic import Field, ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.base import Model
from finetune_runner.job import Job
from finetune_runner.sources.base_model import PinnedModel
from finetune_runner.sources.source import Pinned

PREPARED = "prepared.json"


class PreparedData(Model):
    """A data config's rows, as they stood in prepare."""

    name: str
    source: Pinned
    digest: str
    """sha256 (hex) over the rows."""
    rows: int = Field(ge=0)
    distinct: int = Field(ge=0)
    """Examples that differ."""
    bad_rows: int = Field(default=0, ge=0)
    """Rows that were left out since they can't be used."""
    bad_rows_named: list[str] = Field(default_factory=list)
    """The first of them, with their places."""


class PreparedMemory(Model):
    """What a pass takes, in bytes."""

    most: int = Field(ge=0)
    """At its peak, with the largest batch there can be."""
    fixed: int = Field(ge=0)
    """The part that no smaller micro-batch lessens."""
    checkpoint: int = Field(default=0, ge=0)
    """Of that, what goes into a checkpoint."""


class PreparedPass(Model):
    index: int = Field(ge=0)
    name: str
    key: str
    libraries: dict[str, str] = Field(default_factory=dict)
    """Of a plugin, and of plugins that measure: name to version of what the key was made with."""
    memory: PreparedMemory | None = None
    """None where it can't be told."""


class Prepared(Model):
    """Everything that is pinned for the job."""

    version: Literal[1] = 1
    created_time: str = ""
    """When it was pinned, RFC 3339 in UTC."""
    base: PinnedModel
    data: list[PreparedData]
    passes: list[PreparedPass]

    def data_named(self, name: str) -> PreparedData:
        return next(data for data in self.data if data.name == name)

    def key_of(self, name: str) -> str:
        """The cache key of a pass."""
        return self.pass_named(name).key

    def pass_named(self, name: str) -> PreparedPass:
        return next(step for step in self.passes if step.name == name)


def write(job: Job, prepared: Prepared) -> None:
    job.store.put(f"{job.folder}/{PREPARED}", prepared.model_dump_json(indent=1).encode())


def read(job: Job) -> Prepared | None:
    """What an earlier prepare of this job has written; None where there is nothing that can be read."""
    content = job.store.get(f"{job.folder}/{PREPARED}")
    if content is None:
        return None
    try:
        return Prepared.model_validate_json(content.data)
    except ValidationError:
        return None


def required(job: Job) -> Prepared:
    """What prepare has written.

    Raises:
        FineTuneError: StoreUnavailable, when it isn't there.
    """
    prepared = read(job)
    if prepared is None:
        raise FineTuneError(
            Reason.STORE_UNAVAILABLE,
            f"{job.store.uri(f'{job.folder}/{PREPARED}')} is not there",
            remedy="The store must keep what the job writes until the job ends; create the job anew.",
            path=job.store.path,
        )
    return prepared
