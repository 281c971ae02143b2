"""evaluate: a model, an adapter or an ONNX model becomes figures.

The output: metrics.json (docs/evaluation.md).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.evaluators import Evaluator
from finetune_api.resource.passes import Evaluate
from finetune_runner.artifact.stop_tokens import stop_tokens
from finetune_runner.data.rendering import encoder_of, render
from finetune_runner.passes.contract import DATA, FIGURES_FILE, ModelPlace, PassInputs, PassResult, Report
from finetune_runner.passes.evaluation.figure import Figure, number_of, text_of
from finetune_runner.passes.evaluation.measuring import Measuring, Row, Subject
from finetune_runner.passes.evaluation.metrics import figure_of
from finetune_runner.passes.evaluation.model_under_test import ModelUnderTest
from finetune_runner.passes.loading import load_tokenizer


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
    model = _load(ModelPlace(inputs.source, inputs.product, inputs.base, inputs.adapter), inputs, tokenizer)
    reference = _load(inputs.reference, inputs, _same(inputs, tokenizer)) if inputs.reference else None
    subject = Subject(inputs.source, model, tokenizer, reference)
    measuring = Measuring(subject, rows, inputs.evaluator, report)
    path = f"spec.evaluators[{config.evaluator}]"
    figures = {metric.name: figure_of(metric, measuring, path) for metric in inputs.evaluator.metrics}
    _write(inputs, len(rows), figures)
    finite = all(number_of(figure.value) is not None for figure in figures.values())
    return PassResult(
        metrics={name: text_of(figure.value) for name, figure in figures.items()},
        intervals={name: (text_of(f.bounds[0]), text_of(f.bounds[1])) for name, f in figures.items() if f.bounds},
        verified_on=model.provider if measuring.has_run and finite else "",
    )


def _rows(inputs: PassInputs, evaluator: Evaluator, tokenizer: Any) -> list[Row]:
    data = inputs.data[DATA]
    preprocess = data.config.preprocess
    chosen = islice(data.rows, evaluator.max_samples or None)
    examples = list(render(chosen, preprocess, tokenizer, f"spec.dataConfigs[{data.config.name}].preprocess"))
    if not examples:
        message = f"data config {data.config.name!r} has no rows"
        remedy = "Name a data config with rows, or mend its filters."
        raise FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=f"{inputs.path}.data")
    encoder = replace(encoder_of(preprocess, tokenizer), loss="completion")
    return [Row(example, tokens) for example, tokens in zip(examples, encoder.encode_all(examples), strict=True)]


def _same(inputs: PassInputs, tokenizer: Any) -> Any:
    """The tokenizer, where the model that is compared with has the same; else its predictions are of other tokens."""
    assert inputs.reference is not None  # noqa: S101  the caller's choice
    theirs = load_tokenizer(inputs.reference.directory, trust_remote_code=inputs.trust_remote_code)
    if theirs.get_vocab() != tokenizer.get_vocab():
        message = "the model can't be compared: its tokenizer is another than that of comparedTo"
        remedy = "Compare with a pass that keeps the tokenizer, or leave kl out of the evaluator."
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy, path=f"{inputs.path}.comparedTo")
    return tokenizer


def _load(place: ModelPlace, inputs: PassInputs, tokenizer: Any) -> ModelUnderTest:
    stop = stop_tokens(place.directory, tokenizer.eos_token_id)
    if place.base:
        stop |= stop_tokens(place.base, tokenizer.eos_token_id)
    if place.product is Product.ONNX:
        from finetune_runner.passes.evaluation.onnx import OnnxModel  # noqa: PLC0415

        return OnnxModel(place.directory, stop, place.adapter)
    from finetune_runner.passes.evaluation.pytorch import load_pytorch  # noqa: PLC0415

    return load_pytorch(
        place.base or place.directory,
        place.directory if place.product is Product.ADAPTER else None,
        stop=stop,
        pad=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        accelerator=inputs.accelerator,
        trust_remote_code=inputs.trust_remote_code,
    )


def _write(inputs: PassInputs, rows: int, figures: Mapping[str, Figure]) -> None:
    document = {
        "product": inputs.product,
        "rows": rows,
        "metrics": {name: number_of(figure.value) for name, figure in figures.items()},
        "intervals": {name: [number_of(end) for end in f.bounds] for name, f in figures.items() if f.bounds},
        "details": {name: figure.details for name, figure in figures.items() if figure.details},
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    (inputs.output / FIGURES_FILE).write_text(text + "\n", encoding="utf-8")
