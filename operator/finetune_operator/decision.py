"""What a decision is: actions on children, and the status to write. Plain data."""

from dataclasses import dataclass
from typing import Any

from finetune_api.resource.status import FineTuneJobStatus


@dataclass(frozen=True)
class CreateConfigMap:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class CreateJob:
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])


@dataclass(frozen=True)
class DeleteJob:
    name: str
    uid: str
    """Only the Job that was observed, not one of the same name made since."""


Action = CreateConfigMap | CreateJob | DeleteJob


@dataclass(frozen=True)
class Decision:
    status: FineTuneJobStatus
    actions: tuple[Action, ...] = ()
    requeue_seconds: float | None = None
    """When to look again though nothing is heard: a deadline."""
