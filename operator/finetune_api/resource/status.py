"""The FineTuneJob's status, written by the operator alone."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from finetune_api.resource.base import Model, empty_list
from finetune_api.resource.gates import MAX_GATES
from finetune_api.resource.progress import MOST_BYTES, Figure, Outage, Progress, Timestamp

Text = Annotated[str, StringConstraints(max_length=4096)]


class ConditionType(StrEnum):
    ACCEPTED = "Accepted"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    GATES_PASSED = "GatesPassed"
    PROGRESS_UNREACHABLE = "ProgressUnreachable"


TERMINAL = (ConditionType.COMPLETE, ConditionType.FAILED)

PHASES = ("Pending", "Preparing", "Running", "Waiting", "Suspended", "Complete", "Failed")
"""What a phase may be. Nothing is decided by it, so one that another version of the operator has written is read, too."""


class PassState(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class Told(Model):
    """A part of the status. What a newer operator has written there, and this one does not know, stays as it is."""

    model_config = ConfigDict(extra="allow")


class Condition(Told):
    """metav1.Condition."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(description="Type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="One word that says why."
    )
    message: Annotated[str, StringConstraints(max_length=32768)] = Field(
        default="", description="A sentence for people."
    )
    last_transition_time: Timestamp = Field(
        description="When the status last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int = Field(default=0, ge=0, description="Generation of the spec it was decided on.")


class MetricValue(Told):
    name: Annotated[str, StringConstraints(max_length=63)] = Field(description="Name of the figure.")
    value: Figure = Field(description="The figure, as text so that no digit is lost.")
    low: Figure | None = Field(default=None, description="Lower end of its 95 % confidence interval, where it has one.")
    high: Figure | None = Field(default=None, description="Upper end.")


class Artifact(Told):
    uri: Annotated[str, StringConstraints(max_length=2048)] = Field(description="Where it lies.")
    digest: Annotated[str, StringConstraints(max_length=128)] = Field(description="sha256 over its files' digests.")
    size_bytes: int = Field(default=0, ge=0, description="Size of all files.", json_schema_extra={"format": "int64"})


class NamedArtifact(Artifact):
    name: Annotated[str, StringConstraints(max_length=63)] = Field(description="Always model: a job publishes one.")
    format: Annotated[str, StringConstraints(max_length=32)] = Field(
        default="", description="onnx, safetensors or adapter."
    )
    pass_: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", alias="pass", description="Pass that made it."
    )
    verified_on: Annotated[str, StringConstraints(max_length=32)] = Field(
        default="",
        description="Execution provider that an ONNX model was seen to run on: by the pass that made it, or by one that"
        " measured it. Unset: nobody has seen it run.",
    )


class PassStatus(Told):
    name: Annotated[str, StringConstraints(max_length=63)] = Field(description="Name of the pass.")
    state: PassState = Field(
        default=PassState.PENDING,
        description="Pending, Running, Succeeded, Failed, or Skipped: made for a later candidate, and an earlier one has passed.",
    )
    job_name: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", description="Kubernetes Job it runs or ran in."
    )
    cache_key: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="", description="What the output is found by."
    )
    cache_hit: bool = Field(default=False, description="The output was there already; nothing ran.")
    attempts: int = Field(default=0, ge=0, description="Pods started for its stage.")
    start_time: Timestamp | None = Field(default=None, description="When its stage started.")
    completion_time: Timestamp | None = Field(default=None, description="When its output was seen committed.")
    artifact: Artifact | None = Field(default=None, description="Its committed output.")
    metrics: list[MetricValue] = Field(
        default_factory=empty_list,
        max_length=32,
        description="Headline figures.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class GateStatus(Told):
    metric: Annotated[str, StringConstraints(max_length=63)] = Field(description="Metric that it looks at.")
    after: Annotated[str, StringConstraints(max_length=63)] = Field(description="Pass whose output was measured.")
    requirement: Annotated[str, StringConstraints(max_length=256)] = Field(description="What it asks for.")
    value: Figure = Field(
        default="", description="What was compared with the bound: the figure, or of maxDrop how much worse it is."
    )
    passed: bool | None = Field(
        default=None, description="Whether it holds; unset: not judged, since its candidate was not needed."
    )


class PrepareStatus(Told):
    attempt: int = Field(
        default=0, ge=0, description="How often prepare was asked for; more than once: as recovery, or to wait."
    )
    gave_way: int = Field(default=0, ge=0, description="How often a stage gave way to another job with the same pass.")
    state: PassState = Field(default=PassState.PENDING, description="Pending, Running, Succeeded or Failed.")
    job_name: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", description="Kubernetes Job of the attempt."
    )
    outage: Outage | None = Field(
        default=None, description="What prepare waits for, where that has been away for half a minute and more."
    )


class CountedPod(Told):
    """The newest of the pods whose accelerator time has been counted: those scheduled before it are counted already."""

    uid: Annotated[str, StringConstraints(max_length=63)] = Field(description="UID of the pod.")
    scheduled_time: Timestamp = Field(description="When it got its node, and with it its accelerators.")
    seconds: int = Field(ge=0, le=MOST_BYTES, description="What acceleratorSeconds has of it.")


class DisruptedPod(Told):
    """The newest of the disrupted pods that have been counted: those created before it are counted already."""

    name: Annotated[str, StringConstraints(max_length=253)] = Field(description="Name of the pod.")
    uid: Annotated[str, StringConstraints(max_length=63)] = Field(description="UID of the pod.")
    creation_time: Timestamp = Field(description="When it was created.")
    reason: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", description="That of its condition DisruptionTarget, such as EvictionByEvictionAPI."
    )


class DisruptionStatus(Told):
    """Disruptions in a row, of one pass."""

    pass_: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        alias="pass",
        description="Pass that was disrupted, or prepare; empty: all that there was is committed.",
    )
    count: int = Field(default=0, ge=0, description="Disruptions in a row that brought it no new checkpoint.")
    checkpoint_step: int = Field(default=0, ge=0, description="Step of its newest checkpoint; 0: none is known.")
    newest_pod: DisruptedPod = Field(description="How far count is counted.")


class WaitingStatus(Told):
    """What the job waits for."""

    reason: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="That of the Reconciling condition (docs/failures.md)."
    )
    since: Timestamp = Field(description="When it was first seen to wait for that.")


class FailureStatus(Told):
    """Why the job failed, and what to do."""

    pass_: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", alias="pass", description="Pass that failed, prepare, or empty."
    )
    pod: Annotated[str, StringConstraints(max_length=253)] = Field(default="", description="Pod that failed.")
    reason: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="One of a closed set (docs/failures.md)."
    )
    exit_code: int | None = Field(default=None, description="Exit code of the container.")
    path: Text = Field(default="", description="Place in the spec it is about.")
    message: Text = Field(description="The cause in a sentence.")
    remedy: Text = Field(default="", description="What to do.")
    log_tail: Text = Field(
        default="", description="Last lines of the pod's log: as many as its termination message has room for."
    )


class FineTuneJobStatus(Told):
    """What is. Terminal conditions never reverse."""

    rules: ClassVar[tuple[dict[str, str], ...]] = (
        {
            "rule": "!has(oldSelf.conditions) || oldSelf.conditions.filter(c, c.status == 'True' && (c.type == 'Complete' ||"
            " c.type == 'Failed')).all(o, has(self.conditions) && self.conditions.exists(c, c.type == o.type && c.status =="
            " 'True'))",
            "message": "a finished job stays finished: Complete and Failed are never unset",
        },
    )

    observed_generation: int = Field(default=0, ge=0, description="Generation of the spec this status is about.")
    phase: str = Field(
        default="",
        description="Summary of the conditions, for people and printer columns.",
        json_schema_extra={"enum": ["", *PHASES]},
    )
    conditions: list[Condition] = Field(
        default_factory=empty_list,
        max_length=16,
        description="Accepted, Suspended, Complete, Failed, GatesPassed, ProgressUnreachable; Reconciling and Stalled for kstatus.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    start_time: Timestamp | None = Field(default=None, description="When the job was accepted.")
    completion_time: Timestamp | None = Field(default=None, description="When the job ended.")
    runner_image: Annotated[str, StringConstraints(max_length=512)] = Field(
        default="", description="Default runner image, fixed at acceptance."
    )
    document_digest: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="",
        description="sha256 of what the job was accepted as, in its ConfigMap: nothing else in there counts.",
    )
    prepare: PrepareStatus | None = Field(default=None, description="The prepare step.")
    current_pass: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", description="Pass that is running, or next, for the printer column."
    )
    progress: Progress | None = Field(default=None, description="Progress of the running pass.")
    passes: list[PassStatus] = Field(
        default_factory=empty_list,
        max_length=32,
        description="One entry a pass.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    artifacts: list[NamedArtifact] = Field(
        default_factory=empty_list,
        max_length=8,
        description="What was published.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    gates: list[GateStatus] = Field(
        default_factory=empty_list, max_length=MAX_GATES, description="One entry a gate, once all passes are committed."
    )
    failure: FailureStatus | None = Field(default=None, description="Why the job failed.")
    waiting: WaitingStatus | None = Field(
        default=None, description="While nothing of it runs: what it waits for, and since when."
    )
    accelerator_seconds: int | None = Field(
        default=None,
        ge=0,
        le=MOST_BYTES,
        description="How long the job's pods have held accelerators, retries and suspensions included: seconds times devices.",
        json_schema_extra={"format": "int64"},
    )
    counted_pod: CountedPod | None = Field(default=None, description="How far acceleratorSeconds is counted.")
    disruptions: DisruptionStatus | None = Field(
        default=None, description="Evictions, preemptions and the like in a row; unset: there has been none."
    )

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Whether the condition is there and True."""
        condition = self.condition(kind)
        return condition is not None and condition.status == "True"

    @property
    def terminal(self) -> bool:
        return any(self.holds(kind) for kind in TERMINAL)

    @classmethod
    def from_wire(cls, status: dict[str, Any] | None) -> "FineTuneJobStatus":
        """The stored status; empty where there is none yet. Progress, too, may have fields that are not known here.

        Raises:
            ValueError: a known field holds what is not known.
        """
        return cls.model_validate(status or {}, extra="allow")
