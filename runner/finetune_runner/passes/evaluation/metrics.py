"""From what was measured to figures: one function a kind of metric."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.evaluators import (
    AnswerMetric,
    KlMetric,
    LossMetric,
    Metric,
    PerplexityMetric,
    SizeBytesMetric,
    TimeToFirstTokenMetric,
    TokensPerSecondMetric,
)
from finetune_runner.passes.evaluation.answers import KEPT, Answer, confusion, first_lines, without_case
from finetune_runner.passes.evaluation.bootstrap import Numbers
from finetune_runner.passes.evaluation.classes import MAX_CLASSES, class_scores, classes_of, macro_f1, marks
from finetune_runner.passes.evaluation.figure import Figure, from_rows, ratio
from finetune_runner.passes.evaluation.latency import first_token_seconds, tokens_a_second
from finetune_runner.passes.evaluation.measuring import Measuring
from finetune_runner.passes.evaluation.plugin_metric import plugin_figure


def figure_of(metric: Metric, measuring: Measuring, path: str) -> Figure:
    """A metric's figure.

    Args:
        metric: which.
        measuring: what it is made from.
        path: where the evaluator stands in the spec.

    Raises:
        FineTuneError: DatasetInvalid, ModelUnsupported, InvalidSpec or PluginFailed, at the metric's place.
    """
    place = f"{path}.metrics[{metric.name}].{metric.variant_alias}"
    try:
        if metric.plugin:
            return plugin_figure(metric.plugin, measuring.answers(metric.plugin.max_new_tokens), place)
        return FIGURES[metric.variant](metric.config, measuring)
    except FineTuneError as error:
        error.path = error.path or place
        raise


def _accuracy(config: AnswerMetric, measuring: Measuring) -> Figure:
    said = [first_lines(answer) for answer in measuring.answers(config.max_new_tokens)]
    return _share_of_right(config, said)


def _exact_match(config: AnswerMetric, measuring: Measuring) -> Figure:
    return _share_of_right(config, measuring.answers(config.max_new_tokens))


def _share_of_right(config: AnswerMetric, said: Sequence[Answer]) -> Figure:
    compared = _compared(config, said)
    right = np.array([[answer.right, 1.0] for answer in compared])
    return from_rows(right, ratio, **_details(compared, said))


def _macro_f1(config: AnswerMetric, measuring: Measuring) -> Figure:
    said = [first_lines(answer) for answer in measuring.answers(config.max_new_tokens)]
    compared = _compared(config, said)
    classes = classes_of(compared)
    if not classes:
        message = f"macroF1 is for answers that are classes, and the rows have more than {MAX_CLASSES} different ones"
        raise FineTuneError(Reason.DATASET_INVALID, message, remedy="Use accuracy or exactMatch.")
    return from_rows(marks(compared, classes), macro_f1, **_details(compared, said))


def _compared(config: AnswerMetric, said: Sequence[Answer]) -> list[Answer]:
    return [without_case(answer) for answer in said] if config.ignore_case else list(said)


def _details(compared: Sequence[Answer], said: Sequence[Answer]) -> dict[str, Any]:
    """Scores of classes, as far as answers are classes, and the first answers as they were said."""
    details: dict[str, Any] = {"answers": [asdict(answer) for answer in said[:KEPT]]}
    if classes := classes_of(compared):
        f1 = float(macro_f1(marks(compared, classes).sum(axis=0)))
        scores = {"macroF1": f1, "classes": class_scores(compared, classes)}
        details = {"confusion": confusion(compared, classes)} | scores | details
    return details


def _loss(config: LossMetric, measuring: Measuring) -> Figure:  # noqa: ARG001
    rows = _loss_rows(measuring)
    return from_rows(rows, ratio, tokens=int(rows[:, 1].sum()))


def _perplexity(config: PerplexityMetric, measuring: Measuring) -> Figure:  # noqa: ARG001
    rows = _loss_rows(measuring)
    return from_rows(rows, lambda sums: np.exp(ratio(sums)), tokens=int(rows[:, 1].sum()))


def _loss_rows(measuring: Measuring) -> Numbers:
    return np.array([[loss.total, loss.tokens] for loss in measuring.losses])


def _kl(config: KlMetric, measuring: Measuring) -> Figure:  # noqa: ARG001
    found = measuring.comparisons
    rows = np.array([[row.divergence, row.tokens] for row in found])
    tokens = sum(row.tokens for row in found)
    return from_rows(rows, ratio, tokens=tokens, sameToken=sum(row.same for row in found) / tokens)


def _size_bytes(config: SizeBytesMetric, measuring: Measuring) -> Figure:  # noqa: ARG001
    return Figure(sum(file.stat().st_size for file in measuring.directory.rglob("*") if file.is_file()))


def _time_to_first_token(config: TimeToFirstTokenMetric, measuring: Measuring) -> Figure:
    runs = measuring.token_times(config.prompt_tokens, 1, config.repeats)
    return _median([first_token_seconds(times) for times in runs])


def _tokens_per_second(config: TokensPerSecondMetric, measuring: Measuring) -> Figure:
    runs = measuring.token_times(config.prompt_tokens, config.new_tokens, config.repeats)
    return _median([tokens_a_second(times) for times in runs])


def _median(found: Sequence[float]) -> Figure:
    return Figure(median(found), details={"repeats": list(found)})


FIGURES: dict[str, Callable[[Any, Measuring], Figure]] = {
    "accuracy": _accuracy,
    "exact_match": _exact_match,
    "macro_f1": _macro_f1,
    "loss": _loss,
    "perplexity": _perplexity,
    "kl": _kl,
    "size_bytes": _size_bytes,
    "time_to_first_token": _time_to_first_token,
    "tokens_per_second": _tokens_per_second,
}
"""By the metric's variant."""
