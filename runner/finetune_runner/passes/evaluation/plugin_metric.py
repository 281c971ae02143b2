"""A third party's metric, run as the contract in finetune_api.plugin says."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plugin import PluginAnswer
from finetune_api.resource.plugin import MetricPlugin
from finetune_runner.passes.evaluation.answers import KEPT, Answer
from finetune_runner.passes.evaluation.bootstrap import Numbers
from finetune_runner.passes.evaluation.figure import Figure, from_rows, ratio
from finetune_runner.plugins.failures import own_failures
from finetune_runner.plugins.installed import InstalledMetric
from finetune_runner.plugins.metrics import named_metric

REMEDY = "Mend the plugin: scores() gives one number for each answer, in their order (docs/plugins.md)."


def plugin_figure(given: MetricPlugin, answers: Sequence[Answer], path: str) -> Figure:
    """The mean of the scores that a metric gives to answers.

    Raises:
        FineTuneError: PluginFailed, the metric raises or does not give a number for each answer; InvalidSpec, it is not
            installed here.
    """
    plugin = named_metric(given.name, path)
    with own_failures(plugin, path):
        found: Any = plugin.kind().scores(plugin.parse(given.config), [PluginAnswer(**asdict(a)) for a in answers])
    scores = _checked(plugin, found, len(answers), path)
    told = [asdict(answer) | {"score": float(score)} for answer, score in zip(answers[:KEPT], scores, strict=False)]
    return from_rows(np.column_stack([scores, np.ones_like(scores)]), ratio, answers=told)


def _checked(plugin: InstalledMetric, found: Any, count: int, path: str) -> Numbers:
    try:
        scores = np.array([float(score) for score in found])
    except (TypeError, ValueError) as error:
        message = f"{plugin.title} gave back {str(found)[:100]!r}, not a number for each answer"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy=REMEDY, path=path) from error
    if len(scores) != count or not np.isfinite(scores).all():
        message = f"{plugin.title} gave back {np.isfinite(scores).sum()} finite numbers for {count} answers"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, remedy=REMEDY, path=path)
    return scores
