"""What a decision is: actions on children, and the status to write. Plain data."""

from dataclasses import dataclass
from typing import Any

from finetune_api.resource.status import FineTuneJobStatus
from finetune_operator.chapter import Chapter


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


@dataclass(frozen=True)
class SetFinalizers:
    finalizers: tuple[str, ...]
    """All that the FineTuneJob is to have."""


Action = CreateConfigMap | CreateJob | DeleteJob | SetFinalizers


@dataclass(frozen=True)
class Decision:
    status: FineTuneJobStatus
    actions: tuple[Action, ...] = ()
    requeue_seconds: float | None = None
    """When to look again though nothing is heard: a deadline."""
    chapters: tuple[Chapter, ...] = ()
    """Events that no status tells, told before anything is done."""
