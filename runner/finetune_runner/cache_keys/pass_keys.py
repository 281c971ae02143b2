"""Every pass's cache key: a digest of everything that decides its output. Pure.

Names of passes, systems, data configs and evaluators are left out, so that jobs that do the same share the work. Those
of passes whose adapters lie beside one graph count, since the files are called after them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune_api.cache_key import pass_key
from finetune_api.export_options import CUDA
from finetune_api.graph_runs import providers_run
from finetune_api.merge_choice import meant_for, tuned_beside
from finetune_api.plan import BASE, TUNING, Plan, PlannedPass, execution_provider, measured_adapter
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import AUTO, ORIGINAL, Pass
from finetune_api.resource.training import WITHOUT_EFFECT
from finetune_runner.cache_keys.data_roles import data_configs, data_names, evaluator_of
from finetune_runner.cache_keys.library_versions import deciding
from finetune_runner.cache_keys.lineage import origins, resolved
from finetune_runner.plugins.checking import PluginCall
from finetune_runner.plugins.metrics import MetricCall, libraries_of

REFERENCES = (
    "trainData",
    "evalData",
    "data",
    "calibrationData",
    "evaluator",
    "comparedTo",
    "furtherAdapters",
    "adapter",
)
"""Fields of a pass that are names of something else."""
ROUNDING = ("precision", "algorithm", "blockSize", "isSymmetric")
"""Fields of an export that say how weights are rounded."""
DEVICE_DECIDES = frozenset({*TUNING, "evaluate", "plugin"})
"""Kinds of pass whose floating-point type follows the device."""


def pass_keys(
    spec: FineTuneJobSpec,
    plan: Plan,
    base: str,
    data: Mapping[str, str],
    *,
    plugins: Mapping[str, PluginCall],
    metrics: Mapping[str, Sequence[MetricCall]] | None = None,
    uid: str,
) -> dict[str, str]:
    """Name of each pass to its cache key.

    With engine.cache off the keys are of this job alone, so that it finds its own outputs and nobody else's.

    Args:
        spec: a valid spec.
        plan: its plan.
        base: the base model's digest.
        data: name of each data config to the digest of its rows.
        plugins: name of each pass that is a plugin to its plugin and config.
        metrics: name of each pass that measures with plugins to these and their configs.
        uid: the job's.
    """
    known = {BASE: base}
    only_job = "" if spec.engine.cache else uid
    for step in plan.passes:
        call = plugins.get(step.name)
        measures = (metrics or {}).get(step.name, ())
        known[step.name] = _key(spec, plan, step, known, data, call=call, metrics=measures, only_job=only_job)
    return {step.name: known[step.name] for step in plan.passes}


def normalised(spec: FineTuneJobSpec, step: PlannedPass) -> dict[str, Any]:
    """A pass's config with its references replaced by what they say, and what it takes from elsewhere filled in."""
    kind = step.spec.variant
    config: dict[str, Any] = {k: v for k, v in step.spec.config.to_wire().items() if k not in REFERENCES}
    if kind in TUNING:
        config["training"] = {k: v for k, v in config["training"].items() if k not in WITHOUT_EFFECT}
    for role, data in data_configs(spec, step.spec).items():
        config[f"preprocess.{role}"] = data.preprocess.to_wire()
    if evaluator := evaluator_of(spec, step.spec):
        config["evaluator"] = {k: v for k, v in evaluator.to_wire().items() if k != "name"}
    if isinstance(step.spec.config, Export):
        config["executionProvider"] = execution_provider(spec, step.spec)
    if step.further_adapters:
        config["inputAdapter"] = step.input  # what its file is called after
    if adapter := measured_adapter(spec, step.index):
        config["adapter"] = adapter
    if step.spec.merge_adapter_weights:
        config |= _merge_choice(spec, step.spec)
    if kind in DEVICE_DECIDES or tuned_beside(spec, step.spec):
        config["accelerator"] = any(s.accelerator for s in spec.systems if s.name == step.system)
    return config


def _merge_choice(spec: FineTuneJobSpec, step: Pass) -> dict[str, Any]:
    """What a merge that chooses its base chooses by; where it has no choice, auto is the original."""
    if step.merge_adapter_weights is None or step.merge_adapter_weights.merge_base != AUTO:
        return {}
    if tuned_beside(spec, step) is None:
        return {"mergeBase": ORIGINAL}
    export = meant_for(spec, step).to_wire()
    return {"rounding": {name: export.get(name) for name in ROUNDING}}


def _key(
    spec: FineTuneJobSpec,
    plan: Plan,
    step: PlannedPass,
    known: Mapping[str, str],
    data: Mapping[str, str],
    *,
    call: PluginCall | None,
    metrics: Sequence[MetricCall],
    only_job: str,
) -> str:
    inputs = resolved(origins(plan, step), known)
    assert inputs is not None  # noqa: S101  a pass's origins come before it
    kind = step.spec.variant
    config = normalised(spec, step)
    if call:
        config["config"] = call.config.to_wire()
    cuda = kind == "evaluate" and CUDA in providers_run(spec, step.index)
    if metrics:
        config["metricPlugins"] = [metric.config.to_wire() for metric in metrics]
    return pass_key(
        kind=kind,
        config=config,
        inputs=inputs,
        data={role: data[name] for role, name in data_names(spec, step.spec).items()},
        libraries=call.plugin.libraries if call else deciding(kind, cuda=cuda) | libraries_of(metrics),
        only_job=only_job,
    )
