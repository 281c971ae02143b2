"""Values that make no sense together: what they come to is written, and said. Pure."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from finetune_api.plan import TUNING, system_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_cli.olive.draft import Resolved
from finetune_cli.olive.section import Ledger


def made_sense_of(found: Resolved, spec: FineTuneJobSpec, ledger: Ledger) -> Resolved:
    """The same with contradictions settled as Olive would, each with a note.

    Args:
        found: what was imported.
        spec: the same, parsed.
        ledger: where notes go.
    """
    changed = Resolved(deepcopy(found.spec), found.origins)
    for index, kind in _tuning(spec):
        path = f"spec.passes[{index}].{kind}"
        fields = changed.spec["passes"][index][kind]
        _steps(fields["training"], spec.passes[index].config.training, path, changed, ledger)  # type: ignore[union-attr]
        _grouping(fields, spec, path, changed, ledger)
        _optimizer(fields["training"], spec, index, path, found=changed, ledger=ledger)
    return changed


def _tuning(spec: FineTuneJobSpec) -> Iterator[tuple[int, str]]:
    return ((index, step.variant_alias) for index, step in enumerate(spec.passes) if step.variant in TUNING)


def _steps(arguments: dict[str, Any], training: Any, path: str, found: Resolved, ledger: Ledger) -> None:
    if training.max_steps <= 0:
        return
    epochs = f"{path}.training.numTrainEpochs"
    if epochs in found.origins:
        message = f"is overridden by max_steps: training ends after {training.max_steps} steps"
        ledger.note(found.source_of(epochs), message, "leave one of the two out")
    if training.eval_strategy == "steps" and training.eval_steps > training.max_steps:
        arguments["evalSteps"] = training.max_steps
        steps = f"{path}.training.evalSteps"
        if steps in found.origins:
            message = f"evaluation after {training.eval_steps} steps never happens, since training ends after"
            remedy = f"evalSteps is set to {training.max_steps}: one evaluation, at the end"
            ledger.note(found.source_of(steps), f"{message} {training.max_steps} (max_steps)", remedy)


def _grouping(fields: dict[str, Any], spec: FineTuneJobSpec, path: str, found: Resolved, ledger: Ledger) -> None:
    field = f"{path}.training.groupByLength"
    data = next((config for config in spec.data_configs if config.name == fields["trainData"]), None)
    if fields["training"].get("groupByLength") and data and data.preprocess.strategy.startswith("join"):
        message = f"does nothing with strategy {data.preprocess.strategy}, whose sequences all have one length"
        ledger.note(found.source_of(field), message, "leave it out, or use line-by-line")


def _optimizer(
    arguments: dict[str, Any], spec: FineTuneJobSpec, index: int, path: str, *, found: Resolved, ledger: Ledger
) -> None:
    """Olive's default for 4-bit weights runs on an accelerator only."""
    step = spec.passes[index]
    system = next((system for system in spec.systems if system.name == system_name(spec, step)), None)
    training: Any = step.config.training  # type: ignore[union-attr]
    given = found.origin_of(f"{path}.training.optim")
    if given is None and training.needs_accelerator and system and not system.accelerator:
        arguments.pop("optim")
        message = f"adamw_torch instead of Olive's {training.optim}, which needs an accelerator"
        ledger.note(found.source_of(f"{path}.trainData")[:-1], message, "set accelerator of the system to use it")
