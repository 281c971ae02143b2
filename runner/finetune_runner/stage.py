"""A stage: its passes in order, each output committed; and when all of the plan is committed, publication."""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune_api.cache_key import PASS_VERSIONS
from finetune_api.failures import FineTuneError, Reason
from finetune_api.merge_choice import meant_for, tuned_beside
from finetune_api.messages import GaveWay
from finetune_api.plan import BASE, PlannedPass, Stage, execution_provider, metric_plugins
from finetune_api.resource.passes import Tuning
from finetune_api.resource.plugin import Plugin
from finetune_runner import accelerator, event_files, interruption, prepared, trackers
from finetune_runner.candidates import standing_of
from finetune_runner.committed import Committed, find_committed, input_digests
from finetune_runner.data_roles import data_names, evaluator_of
from finetune_runner.job import Job
from finetune_runner.library_versions import TOKENISING, differing, installed
from finetune_runner.lineage import (
    BASE_ROLE,
    INPUT_ROLE,
    REFERENCE_BASE_ROLE,
    REFERENCE_ROLE,
    origins,
    product_named,
    source_product,
)
from finetune_runner.outcome import Outcome
from finetune_runner.pass_deadline import ended_after
from finetune_runner.passes.contract import ModelPlace, PassInputs, PassResult
from finetune_runner.passes.registry import run_pass
from finetune_runner.plugins import metrics
from finetune_runner.plugins.checking import require_same
from finetune_runner.prepare import finish
from finetune_runner.prepared import Prepared
from finetune_runner.progress.state import ProgressState
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.lease import TakenError
from finetune_runner.store.manifest import Manifest
from finetune_runner.store.token_cache import TokenCache
from finetune_runner.tokens_key import tokens_key
from finetune_runner.turns import leases_of
from finetune_runner.workbench import Workbench

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
    """The passes of one stage in this process."""

    def __init__(self, job: Job, stage: Stage, pinned: Prepared, outcome: Outcome, progress: ProgressState) -> None:
        self.job = job
        self.stage = stage
        self.pinned = pinned
        self.outcome = outcome
        self.progress = progress
        self.bench = Workbench(job, pinned)
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
                        committed[step.name] = self._make(step, committed)
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
            raise self._gone(
                next(p.name for p in self.job.plan.passes if p.turn < step.turn and p.name not in committed)
            )
        return step.turn <= reached.turn

    def _gone(self, name: str) -> FineTuneError:
        return FineTuneError(
            Reason.ARTIFACT_CORRUPT,
            f"the output of pass {name!r} is not in the store",
            remedy="It is made anew; check who else writes to the store.",
            path=self.job.store.path,
        )

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
        return ended_after(seconds, failure, grace_seconds=self.stage.system.termination_grace_period_seconds)

    def _make(self, step: PlannedPass, committed: Committed) -> Manifest:
        self.progress.start(step.name)
        if step.spec.plugin:
            require_same(step, self.pinned.pass_named(step.name).libraries)
        elif metric_plugins(self.job.spec, step.spec):
            metrics.require_same(self.job.spec, step, self.pinned.pass_named(step.name).libraries)
        if isinstance(step.spec.config, Tuning):
            path = f"spec.passes[{step.index}].{step.spec.path_name}.training.reportTo"
            trackers.require(step.spec.config.training.report_to, path)
        inputs = self._inputs(step, committed)
        log.info("pass %s: %s begins", step.name, step.spec.path_name)
        checkpoints = self._checkpoints(step, inputs)
        given = replace(self._pass_inputs(step, committed), checkpoints=checkpoints, tokens=self._tokens(step, inputs))
        try:
            result = run_pass(step.spec.variant, step.spec.config, given, self._report)
        finally:
            event_files.keep(self.job, step.name, self._event_files(step))
        manifest = self._commit(step, inputs, result)
        checkpoints.clear()
        return manifest

    def _report(self, **said: Any) -> None:
        interruption.check()
        self.progress.report(**said)

    def _event_files(self, step: PlannedPass) -> Path:
        return self.job.layout.work / "tensorboard" / step.name

    def _checkpoints(self, step: PlannedPass, inputs: Mapping[str, str]) -> CheckpointStore:
        kind = step.spec.variant
        return CheckpointStore(
            self.job.cache,
            self.pinned.key_of(step.name),
            attempt=self.job.layout.pod_uid,
            job=self.job.document.name,
            kind=kind,
            pass_version=PASS_VERSIONS[kind],
            inputs=inputs,
        )

    def _tokens(self, step: PlannedPass, inputs: Mapping[str, str]) -> TokenCache | None:
        if not isinstance(step.spec.config, Tuning):
            return None
        spec, document = self.job.spec, self.job.document
        digests = {found.name: found.digest for found in self.pinned.data}
        only_job = "" if spec.engine.cache else document.uid
        key = tokens_key(spec, step, inputs, digests, libraries=installed(TOKENISING), only_job=only_job)
        return TokenCache(self.job.cache, key, attempt=self.job.layout.pod_uid, job_folder=self.job.folder)

    def _inputs(self, step: PlannedPass, committed: Committed) -> dict[str, str]:
        inputs = input_digests(self.job, self.pinned, step, committed)
        if inputs is None:
            raise self._gone(next(n for n in origins(self.job.plan, step).values() if n != BASE and n not in committed))
        return inputs

    def _pass_inputs(self, step: PlannedPass, committed: Committed) -> PassInputs:
        spec = self.job.spec
        estimate = self.pinned.pass_named(step.name).memory
        places = {role: self._directory(name, committed) for role, name in origins(self.job.plan, step).items()}
        return PassInputs(
            source=places[INPUT_ROLE],
            product=source_product(self.job.plan, step),
            base=places.get(BASE_ROLE),
            data={role: self.bench.data(name) for role, name in data_names(spec, step.spec).items()},
            output=self.bench.fresh(step.name),
            execution_provider=execution_provider(spec, step.spec),
            accelerator=self.stage.system.accelerator is not None,
            trust_remote_code=spec.input_model.trust_remote_code,
            evaluator=evaluator_of(spec, step.spec),
            reference=self._reference(step, places),
            path=f"spec.passes[{step.index}].{step.spec.path_name}",
            memory_at_most=estimate.most if estimate else None,
            run_name=f"{self.job.document.name}/{step.name}",
            event_files=self._event_files(step),
            grace_seconds=self.stage.system.termination_grace_period_seconds,
            tuned=tuned_beside(spec, step.spec),
            export=meant_for(spec, step.spec),
        )

    def _reference(self, step: PlannedPass, places: Mapping[str, Path]) -> ModelPlace | None:
        if not step.compared_to:
            return None
        product = product_named(self.job.plan, step.compared_to)
        return ModelPlace(places[REFERENCE_ROLE], product, places.get(REFERENCE_BASE_ROLE))

    def _directory(self, name: str, committed: Committed) -> Path:
        return self.bench.base() if name == BASE else self.bench.output(name, committed[name])

    def _commit(self, step: PlannedPass, inputs: Mapping[str, str], result: PassResult) -> Manifest:
        kind, folder = step.spec.variant, self.bench.folder(step.name)
        if not any(folder.iterdir()):
            raise FineTuneError(Reason.INTERNAL, f"pass {step.name!r} has ended without an output")
        manifest, ours = self.job.cache.commit(
            self.pinned.key_of(step.name),
            folder,
            attempt=self.job.layout.pod_uid,
            kind=kind,
            pass_version=PASS_VERSIONS[kind],
            inputs=inputs,
            metrics=result.metrics,
            libraries=self._libraries(step),
            intervals=result.intervals,
            verified_on=result.verified_on,
        )
        if ours:
            self.bench.keep(step.name, manifest.digest)
        log.info("pass %s: committed, %d bytes, sha256 %s", step.name, manifest.size_bytes, manifest.digest)
        return manifest

    def _libraries(self, step: PlannedPass) -> dict[str, str]:
        own = self.pinned.pass_named(step.name).libraries
        return own if step.spec.plugin else own | _unlike_pinned(step.name, step.spec.variant)


def _unlike_pinned(name: str, kind: str) -> dict[str, str]:
    """Libraries of another version than the cache key names; noted, since the key then tells half the truth."""
    libraries = differing(kind)
    if libraries:
        log.warning("pass %s: made with %s, which is not what the operator's version has", name, libraries)
    return libraries
