"""Which data configs a job's passes use. Pure."""

from finetune_api.resource.data import DataConfig
from finetune_api.resource.exports import ModelBuilder
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Evaluate, Pass, Tuning


def data_used(spec: FineTuneJobSpec) -> dict[int, DataConfig]:
    """By index in spec.dataConfigs; others are neither mounted nor read."""
    names = {name for step in spec.passes for name in _names(step)}
    return {index: config for index, config in enumerate(spec.data_configs) if config.name in names}


def _names(step: Pass) -> tuple[str, ...]:
    """Empty ones for what is not set."""
    config = step.config
    if isinstance(config, Tuning):
        return config.train_data, config.eval_data
    if isinstance(config, ModelBuilder):
        return (config.calibration_data,)
    return (config.data,) if isinstance(config, Evaluate) else ()
