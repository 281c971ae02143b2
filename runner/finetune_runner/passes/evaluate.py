"""evaluate: a model, an adapter or an ONNX model becomes figures.

The output: metrics.json, with all figures, the confusion counts, and the first answers word by word.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.evaluators import AccuracyMetric, Evaluator, Metric
from finetune_api.resource.passes import Evaluate
from finetune_runner.data.examples import Example
from finetune_runner.data.rendering import encoder_of, render
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.contract import DATA, PassInputs, PassResult, Report
from finetune_runner.passes.evaluation.answers import KEPT, Answer, accuracy, answer, confusion
from finetune_runner.passes.evaluation.model_under_test import Loss, ModelUnderTest
from finetune_runner.passes.evaluation.stop_tokens import stop_tokens
from finetune_runner.passes.loading import load_tokenizer

NAME = "metrics.json"


@dataclass(frozen=True)
class _Row:
    example: Example
    encoded: Encoded


@dataclass(frozen=True)
class _Figure:
    """A metric's value, and what else metrics.json tells."""

    value: float
    details: dict[str, Any]


def run(config: Evaluate, inputs: PassInputs, report: Report) -> PassResult:
    """Computes the evaluator's metrics for what lies in `inputs.source`.

    Raises:
        FineTuneError: DatasetInvalid, ModelUnsupported, AcceleratorUnavailable.
        ValueError: the pass was given no evaluator.
    """
    if inputs.evaluator is None:
        msg = f"evaluator {config.evaluator!r} was not handed on"
        raise ValueError(msg)
    tokenizer = load_tokenizer(inputs.source, trust_remote_code=inputs.trust_remote_code)
    rows = _rows(inputs, inputs.evaluator, tokenizer)
    model = _load(inputs, tokenizer)
    figures = dict(_figures(model, tokenizer, rows, inputs.evaluator, report))
    _write(inputs, len(rows), figures)
    return PassResult({name: f"{figure.value:.4f}" for name, figure in figures.items()})


def _rows(inputs: PassInputs, evaluator: Evaluator, tokenizer: Any) -> list[_Row]:
    data = inputs.data[DATA]
    preprocess = data.config.preprocess
    chosen = islice(data.rows, evaluator.max_samples or None)
    examples = list(render(chosen, preprocess, tokenizer, f"spec.dataConfigs[{data.config.name}].preprocess"))
    if not examples:
        message = f"data config {data.config.name!r} has no rows"
        raise FineTuneError(Reason.DATASET_INVALID, message, path=f"{inputs.path}.data")
    encoder = replace(encoder_of(preprocess, tokenizer), loss="completion")
    return [_Row(example, encoder.encode(example)) for example in examples]


def _load(inputs: PassInputs, tokenizer: Any) -> ModelUnderTest:
    stop = stop_tokens(inputs.base or inputs.source, tokenizer.eos_token_id)
    if inputs.product is Product.ONNX:
        from finetune_runner.passes.evaluation.onnx import OnnxModel  # noqa: PLC0415

        return OnnxModel(inputs.source, stop)
    from finetune_runner.passes.evaluation.pytorch import load_pytorch  # noqa: PLC0415

    return load_pytorch(
        inputs.base or inputs.source,
        inputs.source if inputs.product is Product.ADAPTER else None,
        stop=stop,
        pad=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        accelerator=inputs.accelerator,
        trust_remote_code=inputs.trust_remote_code,
    )


def _figures(
    model: ModelUnderTest, tokenizer: Any, rows: Sequence[_Row], evaluator: Evaluator, report: Report
) -> Iterator[tuple[str, _Figure]]:
    batches = [rows[at : at + evaluator.batch_size] for at in range(0, len(rows), evaluator.batch_size)]
    for number, metric in enumerate(evaluator.metrics):
        done, total = number * len(batches), len(batches) * len(evaluator.metrics)
        told = _told(batches, done, total, report)
        yield metric.name, _figure(model, tokenizer, told, metric)


def _told(batches: list[Sequence[_Row]], done: int, total: int, report: Report) -> Iterator[Sequence[_Row]]:
    """The batches; each is reported once it has been dealt with."""
    for number, batch in enumerate(batches, start=1):
        yield batch
        report(step=done + number, total_steps=total)


def _figure(model: ModelUnderTest, tokenizer: Any, batches: Iterator[Sequence[_Row]], metric: Metric) -> _Figure:
    if metric.accuracy is not None:
        return _accuracy(model, tokenizer, batches, metric.accuracy)
    return _loss(model, batches)


def _loss(model: ModelUnderTest, batches: Iterator[Sequence[_Row]]) -> _Figure:
    losses: list[Loss] = [model.loss([row.encoded for row in batch]) for batch in batches]
    tokens = sum(loss.tokens for loss in losses)
    return _Figure(sum(loss.total for loss in losses) / tokens, {"tokens": tokens})


def _accuracy(
    model: ModelUnderTest, tokenizer: Any, batches: Iterator[Sequence[_Row]], metric: AccuracyMetric
) -> _Figure:
    answers: list[Answer] = []
    for batch in batches:
        generated = model.generate([row.encoded.prompt for row in batch], metric.max_new_tokens)
        texts = [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in generated]
        answers += [
            answer(row.example.prompt, row.example.completion, text) for row, text in zip(batch, texts, strict=True)
        ]
    details = {
        "confusion": confusion(answers, ignore_case=metric.ignore_case),
        "answers": [asdict(given) for given in answers[:KEPT]],
    }
    return _Figure(accuracy(answers, ignore_case=metric.ignore_case), details)


def _write(inputs: PassInputs, rows: int, figures: dict[str, _Figure]) -> None:
    document: dict[str, Any] = {}
    for figure in reversed(figures.values()):
        document |= figure.details  # of two accuracies, the first one's answers are told
    document = {
        "product": inputs.product,
        "rows": rows,
        "metrics": {name: figure.value for name, figure in figures.items()},
    } | document
    text = json.dumps(document, indent=2, ensure_ascii=False)
    (inputs.output / NAME).write_text(text + "\n", encoding="utf-8")
