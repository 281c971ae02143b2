"""Which module runs which pass. Modules load when their pass runs: most of them bring torch."""

import importlib
import sys
from typing import Any

from finetune_api.plan import TUNING
from finetune_api.resource.base import Model
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.process import imports

MODULES = {
    **dict.fromkeys(TUNING, "finetune_runner.passes.tune"),
    "merge_adapter_weights": "finetune_runner.passes.merge",
    "model_builder": "finetune_runner.passes.model_builder",
    "extract_adapters": "finetune_runner.passes.extract_adapters",
    "evaluate": "finetune_runner.passes.evaluate",
    "plugin": "finetune_runner.passes.plugin",
}
"""A pass's variant to the module whose `run` does it."""


def run_pass(variant: str, config: Model, inputs: PassInputs, report: Report) -> PassResult:
    """Runs a pass to its end.

    Args:
        variant: the pass's variant in Python's spelling, such as merge_adapter_weights.
        config: that variant's config.
        inputs: directories, rows and surroundings.
        report: told how far the pass is.

    Raises:
        FineTuneError: the pass failed, with reason, place and remedy.
    """
    result: PassResult = _module(MODULES[variant]).run(config, inputs, report)
    return result


def _module(name: str) -> Any:
    if name not in sys.modules:
        with imports():
            importlib.import_module(name)
    return sys.modules[name]
