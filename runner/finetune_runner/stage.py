"""A stage: its passes in order, each output committed; and when all of the plan is committed, publication."""

import logging
from contextlib import AbstractContextManager

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import GaveWay
from finetune_api.plan import PlannedPass, Stage
from finetune_api.resource.passes import Tuning
from finetune_api.resource.plugin import Plugin
from finetune_runner import accelerator, prepared
from finetune_runner.committed import Committed, find_committed, gone
from finetune_runner.ending.pass_deadline import ended_after
from finetune_runner.gating.candidates import standing_of
from finetune_runner.job import Job
from finetune_runner.outcome import Outcome
from finetune_runner.pass_maker import PassMaker
from finetune_runner.prepare import finish
from finetune_runner.prepared import Prepared
from finetune_runner.progress.state import ProgressState
from finetune_runner.store.lease import TakenError
from finetune_runner.store.manifest import Manifest
from finetune_runner.turns import leases_of

log = logging.getLogger(__name__)


def stage_at(job: Job, index: int) -> Stage:
    """One of the plan's stages.

    Raises:
        FineTuneError: InvalidSpec, when there is none with that index.
    """
    if not 0 <= index < len(job.plan.stages):
        raise FineTuneError(Reason.INVALID_SPEC, f"the job has {len(job.plan.stages)} stages, and none {index}")
    return job.plan.stages[index]


def may_compile(stage: Stage) -> bool:
    """Whether a pass asks for torch.compile, or is a plugin's, which may call it."""
    configs = [step.spec.config for step in stage.passes]
    return any(isinstance(c, Plugin) or (isinstance(c, Tuning) and c.training.torch_compile) for c in configs)


def run_stage(job: Job, index: int, outcome: Outcome, progress: ProgressState) -> None:
    """Runs what is left to do in a stage, or up to a pass that another job makes: outcome.gave_way tells.

    Raises:
        FineTuneError: why it can't; outcome.current tells the pass.
    """
    stage = stage_at(job, index)
    outcome.current = stage.passes[0].index
    accelerator.ready(stage.system, [system.name for system in job.spec.systems].index(stage.system.name))
    pinned = prepared.required(job)
    run = _StageRun(job, stage, pinned, outcome, progress)
    try:
        committed = run.until_committed()
    except TakenError as taken:
        log.info("job %s makes the next pass: giving way to it", taken.lease.name)
        outcome.gave_way = GaveWay(index=outcome.current or 0, job=taken.lease.name)
        return
    outcome.current = None
    finish(job, pinned, committed, outcome)


class _StageRun:
    """The passes of one stage in this process: which is next, whether it is its turn, and what is committed by now."""

    def __init__(self, job: Job, stage: Stage, pinned: Prepared, outcome: Outcome, progress: ProgressState) -> None:
        self.job = job
        self.stage = stage
        self.pinned = pinned
        self.outcome = outcome
        self.progress = progress
        self.maker = PassMaker(job, stage, pinned, outcome, progress)
        self.leases = leases_of(job)

    def until_committed(self) -> Committed:
        """Runs the passes; once more where an output of this very stage turned out corrupt."""
        for _ in self.stage.passes:
            try:
                return self._once()
            except FineTuneError as error:
                if error.reason is not Reason.ARTIFACT_CORRUPT:
                    raise
                log.warning("%s; making anew what is not committed", error)
        return self._once()

    def _once(self) -> Committed:
        committed = self._survey()
        for step in self.stage.passes:
            if step.name in committed:
                log.info("pass %s: committed already, reused", step.name)
                continue
            if not self._is_wanted(step, committed):
                log.info("pass %s: skipped, it is for a candidate that is not needed", step.name)
                continue
            self.outcome.current = step.index
            with self.leases.held(self.pinned.key_of(step.name)):
                committed = self._survey()  # another may have committed it just before
                if step.name not in committed:
                    with self._deadline(step):
                        committed[step.name] = self.maker.make(step, committed)
                    self.outcome.committed(step.index, self.pinned.key_of(step.name), committed[step.name])
            committed = self._survey()
        return committed

    def _is_wanted(self, step: PlannedPass, committed: Committed) -> bool:
        """Whether its turn has come; it comes after all earlier turns' passes, so else it never will.

        Raises:
            FineTuneError: ArtifactCorrupt, when an earlier stage's output is gone that tells whose turn it is.
        """
        reached = standing_of(self.job, committed)
        if step.turn > reached.turn and not reached.decided:
            earlier = (p.name for p in self.job.plan.passes if p.turn < step.turn)
            raise gone(self.job, next(name for name in earlier if name not in committed))
        return step.turn <= reached.turn

    def _survey(self) -> dict[str, Manifest]:
        """What is committed now, also told to the outcome."""
        committed = find_committed(self.job, self.pinned)
        for step in self.job.plan.passes:
            key, manifest = self.pinned.key_of(step.name), committed.get(step.name)
            if manifest:
                self.outcome.committed(step.index, key, manifest)
            else:
                self.outcome.know(step.index, key)
        self.progress.tell(self.outcome.message(None, first=frozenset(step.index for step in self.stage.passes)))
        return committed

    def _deadline(self, step: PlannedPass) -> AbstractContextManager[None]:
        seconds = step.spec.active_deadline_seconds
        failure = FineTuneError(
            Reason.DEADLINE_EXCEEDED,
            f"pass {step.name!r} was not done after {seconds} seconds",
            remedy="Create a new FineTuneJob with a later deadline; it goes on from what is kept in the store.",
            path=f"spec.passes[{step.index}].activeDeadlineSeconds",
        )
        return ended_after(seconds, failure, grace_seconds=self.job.grace_seconds(self.stage.system))
