"""The FineTuneJob's spec."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf, empty_list, named_list
from finetune_api.resource.data import DataConfig
from finetune_api.resource.evaluators import Evaluator
from finetune_api.resource.exports import ExecutionProvider
from finetune_api.resource.gates import MAX_CANDIDATES, MAX_GATES, Gate
from finetune_api.resource.input_model import InputModel
from finetune_api.resource.locations import S3Location, SecretKeyReference, VolumeLocation
from finetune_api.resource.passes import Pass
from finetune_api.resource.systems import System

SystemName = Annotated[str, StringConstraints(max_length=63)]


class Target(Model):
    """Where the artifact will run."""

    execution_provider: ExecutionProvider = Field(
        default="CPUExecutionProvider",
        description="onnxruntime execution provider the artifact is made for.",
    )


class Engine(Model):
    """What holds for all passes."""

    host: SystemName = Field(default="", description="System of passes that name none.")
    target: Target = Field(default_factory=Target, description="Where the artifact will run.")
    cache: bool = Field(
        default=True,
        description="Reuse what other jobs have committed. Off: every pass runs anew; only this job's own committed passes count,"
        " so that a new pod goes on where the last one stopped.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much the pods log; debug also shows what the model builder prints."
    )


class Prepare(Model):
    """The short step before any accelerator is asked for: pins revisions, checks data, finds cached work."""

    system: SystemName = Field(
        default="",
        description="System whose placement (node selector, tolerations, service account, pull secrets, priority class, volumes, and"
        " variables that lead to no code) the prepare pod shares; empty: none, or where a pass is a plugin that pass's. It never asks for the accelerator.",
    )


class TtlSecondsAfterFinished(Model):
    """How long the Jobs of a job, with their pods and logs, outlive its end."""

    succeeded: int | None = Field(
        default=None, ge=0, le=31536000, description="After the job is Complete. Unset: until it is deleted."
    )
    failed: int | None = Field(
        default=None, ge=0, le=31536000, description="After the job has Failed. Unset: until it is deleted."
    )


class Limits(Model):
    """What the job may use in all."""

    accelerator_hours: float | None = Field(
        default=None,
        gt=0,
        le=1000000,
        description="Hours that its pods may hold accelerators, times devices, retries included; then the job fails.",
    )


class Store(OneOf):
    """Where the outputs of passes are kept, and found again."""

    variants: ClassVar[tuple[str, ...]] = ("s3", "volume")

    s3: S3Location | None = Field(default=None, description="A prefix in a bucket.")
    volume: VolumeLocation | None = Field(default=None, description="A folder in a PersistentVolumeClaim.")


class Signing(Model):
    """With what the provenance of the artifact is signed (docs/provenance.md)."""

    key_secret_ref: SecretKeyReference = Field(
        description="Private key in PEM, not encrypted: ECDSA (P-256) or Ed25519. Only prepare's pod mounts this Secret, which"
        " then publishes, and nothing else of the job may name it."
    )


class Output(OneOf):
    """Where the final artifact is published."""

    variants: ClassVar[tuple[str, ...]] = ("s3", "volume")

    s3: S3Location | None = Field(default=None, description="A prefix in a bucket.")
    volume: VolumeLocation | None = Field(default=None, description="A folder in a PersistentVolumeClaim.")
    overwrite: bool = Field(default=False, description="Replace a different artifact that is already there.")
    signing: Signing | None = Field(
        default=None, description="Signs the artifact's provenance; unset: it is published unsigned."
    )


class FineTuneJobSpec(Model):
    """What is wanted. Immutable from creation, except for suspend."""

    mutable: ClassVar[frozenset[str]] = frozenset({"suspend"})

    input_model: InputModel = Field(description="The base model.")
    data_configs: list[DataConfig] = named_list("Sets of rows that passes refer to.")
    systems: list[System] = named_list("Kinds of pod that passes run in.", min_length=1, default=False)
    prepare: Prepare = Field(default_factory=Prepare, description="The step before any accelerator is asked for.")
    passes: list[Pass] = named_list("Steps of the chain, in order.", min_length=1, default=False)
    evaluators: list[Evaluator] = named_list("Sets of metrics that evaluate passes refer to.")
    gates: list[Gate] = Field(
        default_factory=empty_list,
        max_length=MAX_GATES,
        description="What must hold before the artifact is published. When a gate is missed every output is kept, nothing is"
        " published, and the job ends as GateFailed.",
    )
    candidates: list[Name] = Field(
        default_factory=empty_list,
        max_length=MAX_CANDIDATES,
        description="Passes whose output may be published, best first; published is the first whose gates have all passed. A gate on"
        " another candidate does not count for it. Empty: the last pass that makes a model.",
    )
    engine: Engine = Field(default_factory=Engine, description="What holds for all passes.")
    store: Store | None = Field(
        default=None,
        description="Where the outputs of passes are kept and found again; unset: the operator's default.",
    )
    output: Output | None = Field(
        default=None,
        description="Where the final artifact is published; unset: it stays in the store.",
    )
    suspend: bool = Field(
        default=False, description="Stop and free what is held; committed passes are kept. The only mutable field."
    )
    backoff_limit: int = Field(default=3, ge=0, le=20, description="Retries of a stage's pod before the job fails.")
    disruption_limit: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Disruptions in a row (eviction, preemption, drain), which backoffLimit does not count, that may bring no new"
        " checkpoint of a pass; with one more the job fails.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=31536000,
        description="Longest time from the job's acceptance to its end, whatever it waits for; then the job fails.",
    )
    limits: Limits = Field(default_factory=Limits, description="What the job may use in all.")
    ttl_seconds_after_finished: TtlSecondsAfterFinished = Field(
        default_factory=TtlSecondsAfterFinished,
        description="When a finished job's Jobs are removed, with their pods and logs. The FineTuneJob and its artifacts stay.",
    )
    artifact_deletion: Literal["Keep", "WithJob"] = Field(
        default="Keep",
        description="What becomes of what the job has made when the FineTuneJob is deleted. Keep: it stays. WithJob: first go the"
        " artifact that it published at output, its checkpoints, and what the store keeps about it alone. Outputs of passes that"
        " other jobs may reuse stay (with engine.cache: false there are none).",
    )

    @classmethod
    def cel_rules(cls) -> tuple[dict[str, str], ...]:
        return tuple(_immutable(cls, name) for name in cls.model_fields if name not in cls.mutable)


def _immutable(spec: type[FineTuneJobSpec], name: str) -> dict[str, str]:
    field = spec.model_fields[name]
    alias = field.alias or name
    message = f"{alias} is immutable: create a new FineTuneJob instead (committed passes are reused)"
    rule = f"self.{alias} == oldSelf.{alias}"
    if field.default is None or field.default_factory is not None:
        rule = f"has(self.{alias}) == has(oldSelf.{alias}) && (!has(self.{alias}) || {rule})"
    return {"rule": rule, "message": message}
