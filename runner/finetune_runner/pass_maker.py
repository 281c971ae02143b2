"""Makes one pass of a stage: its inputs on this pod's disk, its run, and its output committed."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune_api.cache_key import PASS_VERSIONS
from finetune_api.failures import FineTuneError, Reason
from finetune_api.merge_choice import meant_for, tuned_beside
from finetune_api.plan import (
    BASE,
    PlannedPass,
    Stage,
    execution_provider,
    measured_adapter,
    metric_plugins,
    reference_adapter,
)
from finetune_api.resource.passes import Tuning
from finetune_runner import event_files, trackers
from finetune_runner.cache_keys.data_roles import data_names, evaluator_of
from finetune_runner.cache_keys.library_versions import TOKENISING, differing, installed
from finetune_runner.cache_keys.lineage import (
    ADAPTER_ROLE,
    BASE_ROLE,
    INPUT_ROLE,
    REFERENCE_BASE_ROLE,
    REFERENCE_ROLE,
    origins,
    product_named,
    source_product,
)
from finetune_runner.cache_keys.tokens_key import tokens_key
from finetune_runner.committed import Committed, gone, input_digests
from finetune_runner.ending import interruption
from finetune_runner.job import Job
from finetune_runner.outcome import Outcome
from finetune_runner.passes.contract import ModelPlace, PassInputs, PassResult
from finetune_runner.passes.registry import run_pass
from finetune_runner.plugins import metrics
from finetune_runner.plugins.checking import require_same
from finetune_runner.prepared import Prepared
from finetune_runner.progress.state import ProgressState
from finetune_runner.store.checkpoints import CheckpointStore
from finetune_runner.store.manifest import Manifest
from finetune_runner.store.token_cache import TokenCache
from finetune_runner.workbench import Workbench

log = logging.getLogger(__name__)


class PassMaker:
    """The passes of one stage, each when it is asked for; they share what lies on this pod's disk."""

    def __init__(self, job: Job, stage: Stage, pinned: Prepared, outcome: Outcome, progress: ProgressState) -> None:
        self.job = job
        self.stage = stage
        self.pinned = pinned
        self.outcome = outcome
        self.progress = progress
        self.bench = Workbench(job, pinned)

    def make(self, step: PlannedPass, committed: Committed) -> Manifest:
        """Runs a pass and commits its output.

        Raises:
            FineTuneError: why it can't; ArtifactCorrupt, when an output that it takes is gone or damaged.
        """
        self.progress.start(step.name)
        self._require(step)
        inputs = self._inputs(step, committed)
        log.info("pass %s: %s begins", step.name, step.spec.variant_alias)
        checkpoints = self._checkpoints(step, inputs)
        given = replace(self._pass_inputs(step, committed), checkpoints=checkpoints, tokens=self._tokens(step, inputs))
        try:
            result = run_pass(step.spec.variant, step.spec.config, given, self._report)
        finally:
            event_files.keep(self.job, step.name, self._event_files(step))
        manifest = self._commit(step, inputs, result)
        checkpoints.clear()
        return manifest

    def _require(self, step: PlannedPass) -> None:
        """That this image has what the pass runs, as prepare saw it."""
        if step.spec.plugin:
            require_same(step, self.pinned.pass_named(step.name).libraries)
        elif metric_plugins(self.job.spec, step.spec):
            metrics.require_same(self.job.spec, step, self.pinned.pass_named(step.name).libraries)
        if isinstance(step.spec.config, Tuning):
            path = f"spec.passes[{step.index}].{step.spec.variant_alias}.training.reportTo"
            trackers.require(step.spec.config.training.report_to, path)

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
            on_kept=lambda kept: self._keeps(step, kept),
        )

    def _keeps(self, step: PlannedPass, kept: int) -> None:
        """Told to whoever looks at the pod now, and in its last word."""
        self.progress.keeps(kept)
        self.outcome.keeps(step.index, kept)

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
            raise gone(
                self.job, next(n for n in origins(self.job.plan, step).values() if n != BASE and n not in committed)
            )
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
            adapters=_adapters(step, places),
            adapter=measured_adapter(spec, step.index),
            path=f"spec.passes[{step.index}].{step.spec.variant_alias}",
            memory_at_most=estimate.most if estimate else None,
            run_name=f"{self.job.document.name}/{step.name}",
            event_files=self._event_files(step),
            grace_seconds=self.job.grace_seconds(self.stage.system),
            tuned=tuned_beside(spec, step.spec),
            export=meant_for(spec, step.spec),
        )

    def _reference(self, step: PlannedPass, places: Mapping[str, Path]) -> ModelPlace | None:
        if not step.compared_to:
            return None
        product = product_named(self.job.plan, step.compared_to)
        adapter = reference_adapter(self.job.spec, step.index)
        return ModelPlace(places[REFERENCE_ROLE], product, places.get(REFERENCE_BASE_ROLE), adapter)

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


def _adapters(step: PlannedPass, places: Mapping[str, Path]) -> dict[str, Path]:
    """Of an export of several: where each lies."""
    if not step.further_adapters:
        return {}
    return {step.input: places[INPUT_ROLE]} | {n: places[ADAPTER_ROLE.format(n)] for n in step.further_adapters}


def _unlike_pinned(name: str, kind: str) -> dict[str, str]:
    """Libraries of another version than the cache key names; noted, since the key then tells half the truth."""
    libraries = differing(kind)
    if libraries:
        log.warning("pass %s: made with %s, which is not what the operator's version has", name, libraries)
    return libraries
