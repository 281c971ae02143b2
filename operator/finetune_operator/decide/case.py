"""What the policies look at, and what they say."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from finetune_api.messages import JobDocument
from finetune_api.plan import Plan, Stage
from finetune_api.resource.status import FineTuneJobStatus, PassState, PrepareStatus
from finetune_operator.conditions import moment
from finetune_operator.decision import Action, DeleteJob
from finetune_operator.observed import Child, Observed
from finetune_operator.settings import Settings

DONE = (PassState.SUCCEEDED, PassState.SKIPPED)


@dataclass(frozen=True)
class Case:
    """One accepted job at one moment, the outcomes of its finished pods already in its status."""

    observed: Observed
    settings: Settings
    document: JobDocument
    plan: Plan
    status: FineTuneJobStatus

    @property
    def prepare(self) -> PrepareStatus:
        return self.status.prepare or PrepareStatus(attempt=1)

    @property
    def attempt(self) -> int:
        """The prepare attempt that counts: what it found, and the stages planned on it."""
        return max(self.prepare.attempt, 1)

    @property
    def losses(self) -> int:
        """How often prepare was asked for since something was lost, the first time included."""
        return self.attempt - self.prepare.gave_way

    def done(self, stage: Stage) -> bool:
        """Whether its passes are committed, or will never be needed."""
        return all(self.pass_state(step.name) in DONE for step in stage.passes)

    def pass_state(self, name: str) -> PassState:
        return next((p.state for p in self.status.passes if p.name == name), PassState.PENDING)

    @property
    def all_done(self) -> bool:
        return all(self.done(stage) for stage in self.plan.stages)

    @property
    def remaining_seconds(self) -> int | None:
        """Until the deadline, at least 1; None without one."""
        seconds = self.document.spec.active_deadline_seconds
        if seconds is None or self.status.start_time is None:
            return None
        end = moment(self.status.start_time) + timedelta(seconds=seconds)
        return max(1, math.ceil((end - self.observed.now).total_seconds()))

    def with_status(self, status: FineTuneJobStatus) -> "Case":
        return replace(self, status=status)


@dataclass(frozen=True)
class Verdict:
    """What a policy says is to be done now."""

    status: FineTuneJobStatus
    reason: str
    """Of the Reconciling condition: what goes on."""
    message: str = ""
    actions: tuple[Action, ...] = ()
    stage: Stage | None = None
    """The stage that is held by a Job now."""
    child: Child | None = None
    """That Job, once it is there."""


Policy = Callable[[Case], Verdict | None]
"""Says nothing (None) where it has nothing to say; then the next policy is asked."""


def stop(children: tuple[Child, ...]) -> tuple[DeleteJob, ...]:
    return tuple(DeleteJob(child.name, child.uid) for child in children)
