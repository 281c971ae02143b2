"""The prepare step: pins what comes in, checks what can be checked without an accelerator, finds finished work.

Run again for the same job (the operator does so when a pod's last word got lost) it pins nothing anew: it reads the
store and reports.
"""

import logging
import math
from datetime import UTC, datetime

from finetune_api.data_used import data_used
from finetune_api.failures import FineTuneError, Reason
from finetune_api.gates import judged
from finetune_api.messages import CHECKPOINT_FIGURE
from finetune_api.resource.passes import Tuning
from finetune_runner import datasets, prepared
from finetune_runner.cache_keys.pass_keys import pass_keys
from finetune_runner.committed import Committed, find_committed
from finetune_runner.gating.candidates import standing_of
from finetune_runner.job import Job
from finetune_runner.memory.estimate import checkpoint_bytes
from finetune_runner.memory.fit import MEBIBYTE, MEMORY_FIGURE, check, estimates, in_gibibytes, read_shapes
from finetune_runner.memory.shapes import Shapes
from finetune_runner.outcome import Outcome
from finetune_runner.plugins.checking import plugin_calls
from finetune_runner.plugins.metrics import libraries_of, metric_calls
from finetune_runner.prepared import Prepared, PreparedData, PreparedMemory, PreparedPass
from finetune_runner.preparing.chat_templates import check_chat_templates
from finetune_runner.preparing.module_names import check_module_names
from finetune_runner.preparing.new_tokens import check_new_tokens
from finetune_runner.preparing.probe import probe, probe_replacement
from finetune_runner.progress.state import ProgressState
from finetune_runner.publishing import report
from finetune_runner.publishing.publish import open_output, publish, refuse_to_overwrite
from finetune_runner.publishing.signing import signing_key
from finetune_runner.sources import base_model
from finetune_runner.turns import await_turn

log = logging.getLogger(__name__)


def prepare(job: Job, outcome: Outcome, progress: ProgressState | None = None) -> None:
    """Prepares a job, waits while another makes what it needs, and publishes when every pass is committed then.

    Args:
        job: the job.
        outcome: what is found, for the last word.
        progress: says meanwhile which pass is waited for.

    Raises:
        FineTuneError: what is wrong with the job, before an accelerator is asked for.
    """
    probe(job, job.store, f"{job.folder}/probe")
    probe_replacement(job, job.store, f"{job.folder}/probe")
    earlier = prepared.read(job)
    pinned = earlier or _resolve(job)
    committed = find_committed(job, pinned)
    _tell(job, pinned, committed, outcome)
    _check_memory(job, pinned, committed)
    _check_output(job, committed, probed=earlier is not None)
    prepared.write(job, pinned)
    now = await_turn(job, pinned, committed, outcome, progress or ProgressState())
    if now is not committed:
        _tell(job, pinned, now, outcome)
    finish(job, pinned, now, outcome)


def finish(job: Job, pinned: Prepared, committed: Committed, outcome: Outcome) -> None:
    """Writes the report; if every pass that is needed is committed, tells what the gates came to, and publishes.

    Raises:
        FineTuneError: GateFailed, and what else keeps an artifact from being published.
    """
    full = report.report_of(job, pinned, committed)
    report.write(job, full)
    outcome.judged(full.gates)
    for gate, told in zip(full.gates, outcome.gates, strict=True):
        log.info(
            "gate %s: %s after %s %s (%s)", judged(told.passed), gate.metric, gate.after, gate.value, gate.requirement
        )
    if standing_of(job, committed).decided:
        outcome.published = publish(job, pinned, committed, full, has_key=outcome.kind == "prepare" and not job.keyless)


def _resolve(job: Job) -> Prepared:
    plugins, metrics = plugin_calls(job.spec), metric_calls(job.spec)
    base = base_model.resolve(job.spec.input_model, job.layout)
    log.info("base model %s: %d files, %d bytes", base.uri, len(base.files), base.size_bytes)
    check_new_tokens(job.spec, base, job.layout)
    check_chat_templates(job.spec, base, job.layout)
    shapes = read_shapes(job.layout.folder(*base_model.LOOKED_AT))
    if shapes:
        check_module_names(job.spec, shapes)
    memory = _memory(job, shapes)
    data = [datasets.resolve(job, index) for index in data_used(job.spec)]
    for found in data:
        log.info("data %s: %d rows, %d distinct, from %s", found.name, found.rows, found.distinct, found.source.uri)
    _check_held_out(job, data)
    digests = {found.name: found.digest for found in data}
    keys = pass_keys(job.spec, job.plan, base.digest, digests, plugins=plugins, metrics=metrics, uid=job.document.uid)
    libraries = {name: dict(call.plugin.libraries) for name, call in plugins.items()}
    libraries |= {name: libraries_of(calls) for name, calls in metrics.items()}
    steps = [
        PreparedPass(
            index=step.index,
            name=step.name,
            key=keys[step.name],
            libraries=libraries.get(step.name, {}),
            memory=memory.get(step.name),
        )
        for step in job.plan.passes
    ]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Prepared(created_time=now, base=base, data=data, passes=steps)


def _memory(job: Job, shapes: Shapes | None) -> dict[str, PreparedMemory]:
    """What passes take, for those of which it can be told."""
    if shapes is None:
        log.info("how much memory the passes take can't be told for this architecture")
        return {}
    told = estimates(job.spec, shapes)
    kept = {s.name: checkpoint_bytes(shapes, s.config) for s in job.spec.passes if isinstance(s.config, Tuning)}
    return {
        name: PreparedMemory(most=found.total, fixed=found.fixed, checkpoint=kept[name]) for name, found in told.items()
    }


def _check_memory(job: Job, pinned: Prepared, committed: Committed) -> None:
    """That what is still to do fits the accelerators it asks for."""
    for step in pinned.passes:
        if step.memory and step.name not in committed:
            check(job.spec, step.index, least=step.memory.fixed, most=step.memory.most)


def _check_held_out(job: Job, data: list[PreparedData]) -> None:
    """That rows can be held out where a pass wants to."""
    distinct = {found.name: found.distinct for found in data}
    for index, step in enumerate(job.spec.passes):
        config = step.config
        if not isinstance(config, Tuning) or not (config.eval_rows or config.eval_fraction):
            continue
        least, there = config.eval_rows or 1, distinct[config.train_data]
        if there <= least:
            field = "evalRows" if config.eval_rows else "evalFraction"
            rows = "1 distinct row" if there == 1 else f"{there} distinct rows"
            raise FineTuneError(
                Reason.DATASET_INVALID,
                f"{config.train_data!r} has {rows}: holding out {least} leaves none to train on",
                remedy=f"Add rows, or lower {field}.",
                path=f"spec.passes[{index}].{step.variant_alias}.{field}",
            )


def _tell(job: Job, pinned: Prepared, committed: Committed, outcome: Outcome) -> None:
    for step in job.plan.passes:
        key, manifest = pinned.key_of(step.name), committed.get(step.name)
        log.info("pass %s: %s (%s)", step.name, "committed" if manifest else "to do", key)
        if manifest:
            outcome.committed(step.index, key, manifest)
        else:
            outcome.know(step.index, key, _figures(pinned.pass_named(step.name)))


def _figures(step: PreparedPass) -> dict[str, str]:
    if step.memory is None:
        return {}
    return {
        MEMORY_FIGURE: in_gibibytes(step.memory.most),
        CHECKPOINT_FIGURE: str(math.ceil(step.memory.checkpoint / MEBIBYTE)),
    }


def _check_output(job: Job, committed: Committed, *, probed: bool) -> None:
    """That the output may be written and signed, and that no other artifact is in the way."""
    output, candidates = open_output(job, probed=probed), job.plan.candidates
    if output is None or not candidates:
        return
    probe(job, output, ".finetune-probe")
    if not job.keyless:
        signing_key(job)
    refuse_to_overwrite(job, output, {committed[step.name].digest for step in candidates if step.name in committed})
