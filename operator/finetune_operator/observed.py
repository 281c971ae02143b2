"""The world around one FineTuneJob at one moment, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from finetune_api.messages import JobDocument, TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import FineTuneJobStatus

PHASES_AT_END = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Warned:
    """The newest warning event about an object."""

    reason: str
    """Such as FailedMount."""
    message: str
    said_at: str = ""
    """RFC 3339."""


@dataclass(frozen=True)
class Pod:
    """What matters of a child's pod and its one container."""

    name: str
    uid: str = ""
    phase: str = "Pending"
    created_at: str = ""
    scheduled_at: str = ""
    """When it got its node; empty before."""
    ip: str = ""
    deleting: bool = False
    running: bool = False
    """The container runs."""
    message: str = ""
    """Termination message; the log's tail where the container could not write one."""
    exit_code: int | None = None
    terminated_reason: str = ""
    """Such as OOMKilled."""
    finished_at: str = ""
    waiting_reason: str = ""
    """Such as ImagePullBackOff."""
    waiting_message: str = ""
    reason: str = ""
    """The pod's own reason, such as Evicted."""
    reason_message: str = ""
    disrupted: str = ""
    """Why it is taken from its Job, such as EvictionByEvictionAPI, which is no failure of its own; empty: it isn't."""
    unschedulable: str = ""
    """Why the scheduler finds no node; empty when it did."""
    bare: bool = False
    """It has a node, but not its volumes and network yet, without which no container starts."""

    @property
    def live(self) -> bool:
        return self.phase not in PHASES_AT_END


@dataclass(frozen=True)
class Queueing:
    """What Kueue says about a Job that it keeps suspended."""

    workload: str = ""
    """Kueue's object that stands for the Job; empty before it has made one."""
    cluster_queue: str = ""
    """Whose quota it waits for; empty where that is not known."""
    position: int | None = None
    """In the cluster queue, from 1; None where that is not known."""
    ahead: tuple[str, ...] = ()
    """Workloads of the same local queue that come before it, the next one first."""
    reserved: bool = False
    """It has its quota, and waits for an admission check."""
    words: str = ""
    """Why it waits, in Kueue's words."""
    unreadable: str = ""
    """Why there is nothing to be read."""


@dataclass(frozen=True)
class Child:
    """A Job whose controller is the FineTuneJob."""

    name: str
    uid: str
    kind: Literal["prepare", "stage", "delete"]
    attempt: int
    """Of prepare; 0 where it doesn't matter."""
    stage: int | None = None
    deleting: bool = False
    finished: Literal["", "Complete", "Failed"] = ""
    reason: str = ""
    """Of the condition that finished it."""
    message: str = ""
    created_at: str = ""
    start_time: str = ""
    suspended: bool = False
    """It gets no pod until somebody resumes it, which is never the operator."""
    queue: str = ""
    """Kueue's LocalQueue that it waits in, or runs from; empty for none."""
    queueing: Queueing | None = None
    """None while it is not suspended, or nothing was read."""
    pods: tuple[Pod, ...] = ()
    warned: Warned | None = None
    """About its bare pod, or about the Job itself where it has no pod."""

    @property
    def live(self) -> bool:
        """It may still start pods."""
        return not self.finished and not self.deleting

    @property
    def ended_well(self) -> Pod | None:
        return next((pod for pod in self.pods if pod.phase == "Succeeded"), None)

    @property
    def newest_failure(self) -> Pod | None:
        failed = [pod for pod in self.pods if pod.phase == "Failed"]
        return max(failed, key=lambda pod: (pod.finished_at, pod.name), default=None)

    @property
    def current_pod(self) -> Pod | None:
        return next((pod for pod in self.pods if pod.live and not pod.deleting), None)

    @property
    def stuck_uid(self) -> str:
        """UID of that whose warnings tell why nothing runs; empty while nothing is known to be stuck."""
        if not self.live:
            return ""
        pod = self.current_pod
        if pod is None:
            return "" if self.suspended else self.uid
        return pod.uid if pod.bare else ""


@dataclass(frozen=True)
class Reading:
    """The last look at a pod's /progress and /outcome."""

    pod_uid: str
    progress: Progress | None = None
    unreachable: str = ""
    """Why it could not be read, for some time now."""
    outcome: TerminationMessage | None = None
    """What it has committed so far."""


@dataclass(frozen=True)
class Observed:
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    spec: dict[str, Any]
    """As the API server stores it: defaults filled in, not yet validated by us."""
    status: FineTuneJobStatus
    """What can be read of it."""
    now: datetime
    status_kept: Mapping[str, Any] = field(default_factory=dict)
    """Parts of the stored status that this version of the operator can't read: they stay as they are."""
    deletion_time: str = ""
    """When it was deleted, RFC 3339; empty: it wasn't."""
    finalizers: tuple[str, ...] = ()
    """What still keeps it, once it is deleted."""
    document: JobDocument | None = None
    """From the job's ConfigMap; None before acceptance."""
    unreadable: str = ""
    """What this version of the operator can't make out of status or document; empty where it can."""
    document_image: str = ""
    """The default runner image when the job was accepted."""
    document_digest: str = ""
    """sha256 of the document, as the ConfigMap has it."""
    children: tuple[Child, ...] = ()
    strays: tuple[str, ...] = ()
    """Pods of this job that still run and belong to no Job of it any more."""
    deletion: Child | None = None
    """The Job that removes what it has made."""
    readings: tuple[Reading, ...] = field(default=())

    @property
    def deleting(self) -> bool:
        return bool(self.deletion_time)

    @property
    def ending(self) -> tuple[str, ...]:
        """Names of what still ends: Jobs that are being deleted, and pods that outlive theirs."""
        return (*(child.name for child in self.children if child.deleting and not child.finished), *self.strays)

    @property
    def suspend(self) -> bool:
        return bool(self.spec.get("suspend", False))

    @property
    def live_children(self) -> tuple[Child, ...]:
        return tuple(child for child in self.children if child.live)

    def child(self, kind: str, attempt: int, stage: int | None = None) -> Child | None:
        """The child of this kind, attempt and stage that isn't being deleted."""
        wanted = (kind, attempt, stage)
        return next((c for c in self.children if (c.kind, c.attempt, c.stage) == wanted and not c.deleting), None)

    def reading(self, pod: Pod | None) -> Reading | None:
        return next((r for r in self.readings if pod and r.pod_uid == pod.uid), None)
