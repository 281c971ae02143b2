"""Why a job fails: the closed set of reasons, their exit codes, and the error that carries one.

Exit codes tell Kubernetes' podFailurePolicy what kind of failure it was, so that the Job controller decides on
retries even while the operator is down: FIRST_PERMANENT..LAST_PERMANENT fail the Job at once, others are retried.
"""

from enum import StrEnum

FIRST_PERMANENT = 10
LAST_PERMANENT = 39
SIGTERM_EXIT = 143
"""128 + SIGTERM: asked to stop, never a success."""


class Reason(StrEnum):
    """Closed set of reasons for status.failure.reason."""

    INVALID_SPEC = "InvalidSpec"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_UNSUPPORTED = "ModelUnsupported"
    DATASET_INVALID = "DatasetInvalid"
    AUTH_DENIED = "AuthDenied"
    ACCELERATOR_UNAVAILABLE = "AcceleratorUnavailable"
    NAN_LOSS = "NaNLoss"
    EXPORT_FAILED = "ExportFailed"
    PLUGIN_FAILED = "PluginFailed"
    GATE_FAILED = "GateFailed"
    ARTIFACT_CORRUPT = "ArtifactCorrupt"
    OUT_OF_ACCELERATOR_MEMORY = "OutOfAcceleratorMemory"
    OUT_OF_HOST_MEMORY = "OutOfHostMemory"
    OUT_OF_DISK = "OutOfDisk"
    STORE_UNAVAILABLE = "StoreUnavailable"
    HUB_UNAVAILABLE = "HubUnavailable"
    TRACKER_UNAVAILABLE = "TrackerUnavailable"
    STALLED = "Stalled"
    INTERRUPTED = "Interrupted"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    INTERNAL = "Internal"


EXIT_CODES: dict[Reason, int] = {
    Reason.INVALID_SPEC: 10,
    Reason.MODEL_NOT_FOUND: 11,
    Reason.MODEL_UNSUPPORTED: 12,
    Reason.DATASET_INVALID: 13,
    Reason.AUTH_DENIED: 14,
    Reason.ACCELERATOR_UNAVAILABLE: 15,
    Reason.NAN_LOSS: 16,
    Reason.EXPORT_FAILED: 17,
    Reason.OUT_OF_ACCELERATOR_MEMORY: 18,
    Reason.OUT_OF_DISK: 19,
    Reason.PLUGIN_FAILED: 20,
    Reason.GATE_FAILED: 21,
    Reason.DEADLINE_EXCEEDED: 22,
    Reason.ARTIFACT_CORRUPT: 50,
    Reason.STORE_UNAVAILABLE: 51,
    Reason.HUB_UNAVAILABLE: 52,
    Reason.TRACKER_UNAVAILABLE: 53,
    Reason.STALLED: 54,
    Reason.INTERNAL: 1,
    Reason.OUT_OF_HOST_MEMORY: 137,
    Reason.INTERRUPTED: SIGTERM_EXIT,
}
"""What the runner exits with. What only the operator says, such as Evicted and Unschedulable, has none."""


class FineTuneError(Exception):
    """A failure that names its reason, its cause, its remedy, and the place in the spec it is about."""

    def __init__(self, reason: Reason, message: str, *, remedy: str = "", path: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        advice = f" {self.remedy}" if self.remedy else ""
        return f"{where}{self.message}.{advice}" if not self.message.endswith(".") else f"{where}{self.message}{advice}"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.reason]


def reason_of_exit_code(exit_code: int) -> Reason:
    """The reason an exit code stands for; Internal for one that is not ours."""
    return next((reason for reason, code in EXIT_CODES.items() if code == exit_code), Reason.INTERNAL)
