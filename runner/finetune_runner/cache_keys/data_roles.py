"""Which rows a pass reads, by role. Pure."""

from finetune_api.merge_choice import tuned_beside
from finetune_api.resource.data import DataConfig
from finetune_api.resource.evaluators import Evaluator
from finetune_api.resource.exports import ModelBuilder
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Evaluate, Pass, Tuning
from finetune_runner.passes.contract import DATA, EVAL_DATA, TRAIN_DATA


def data_names(spec: FineTuneJobSpec, step: Pass) -> dict[str, str]:
    """Role to the data config's name. A merge that chooses its base reads what the adapter was tuned with."""
    config = tuned_beside(spec, step) or step.config
    if isinstance(config, Tuning):
        named = {TRAIN_DATA: config.train_data, EVAL_DATA: config.eval_data}
        return {role: name for role, name in named.items() if name}
    if isinstance(config, ModelBuilder) and config.calibration_data:
        return {DATA: config.calibration_data}
    return {DATA: config.data} if isinstance(config, Evaluate) else {}


def data_configs(spec: FineTuneJobSpec, step: Pass) -> dict[str, DataConfig]:
    """Role to data config."""
    by_name = {config.name: config for config in spec.data_configs}
    return {role: by_name[name] for role, name in data_names(spec, step).items()}


def evaluator_of(spec: FineTuneJobSpec, step: Pass) -> Evaluator | None:
    """The evaluator of an evaluate pass."""
    if step.evaluate is None:
        return None
    return next(evaluator for evaluator in spec.evaluators if evaluator.name == step.evaluate.evaluator)
