"""modelBuilder: a model becomes an ONNX model for onnxruntime-genai.

The output: model.onnx with its data, genai_config.json, the tokenizer, prompt.json.
"""

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import GPTQ, ModelBuilder
from finetune_runner.data.rendering import render, sequences
from finetune_runner.data.statistics import Statistics
from finetune_runner.passes.contract import DATA, PassInputs, PassResult, Report
from finetune_runner.passes.exporting.builder_process import build
from finetune_runner.passes.exporting.trial import verified_on


def run(config: ModelBuilder, inputs: PassInputs, report: Report) -> PassResult:
    """Exports the model in `inputs.source`, and has it answer where its execution provider is.

    Raises:
        FineTuneError: ExportFailed, or OutOfHostMemory when the builder or the model was killed; of gptq also
            DatasetInvalid and ModelUnsupported.
    """
    if config.algorithm != GPTQ:
        return _built(config, inputs, inputs.source, report)
    with tempfile.TemporaryDirectory(dir=inputs.output.parent) as scratch:
        _calibrate(config, inputs, Path(scratch), _half(report, 0))
        return _built(config, inputs, Path(scratch), _half(report, 1))


def _half(report: Report, half: int) -> Report:
    """A report on one half of the work."""

    def told(*, step: int, total_steps: int, **_: Any) -> None:
        report(step=50 * half + 50 * step // total_steps, total_steps=100)

    return told


def _built(config: ModelBuilder, inputs: PassInputs, model: Path, report: Report) -> PassResult:
    size = build(config, inputs, model, report)
    return PassResult({"sizeMB": f"{size / 1e6:.1f}"}, verified_on=verified_on(config, inputs))


def _calibrate(config: ModelBuilder, inputs: PassInputs, output: Path, report: Report) -> None:
    """The model with its layers' weights rounded by GPTQ."""
    from finetune_runner.passes.loading import load_tokenizer  # noqa: PLC0415  torch is only needed here
    from finetune_runner.passes.merging.unfit import UnfitError  # noqa: PLC0415
    from finetune_runner.passes.rounding.calibrated import MOST_ROWS, round_decoder_layers  # noqa: PLC0415

    tokenizer = load_tokenizer(inputs.source, trust_remote_code=inputs.trust_remote_code)
    data = inputs.data[DATA].config
    examples = render(inputs.data[DATA].rows, data.preprocess, tokenizer, f"spec.dataConfigs[{data.name}].preprocess")
    made = sequences(lambda: examples, data.preprocess, tokenizer, Statistics())
    rows = list(islice(made, MOST_ROWS))
    if not rows:
        message = f"data config {data.name!r} has no rows to calibrate by"
        raise FineTuneError(Reason.DATASET_INVALID, message, path=f"{inputs.path}.calibrationData")
    try:
        round_decoder_layers(inputs.source, output, rows, config, report)
    except UnfitError as error:
        raise FineTuneError(
            Reason.MODEL_UNSUPPORTED,
            f"gptq goes through a model layer by layer, which this one does not allow: {error}",
            remedy="Use algorithm: k_quant.",
            path=f"{inputs.path}.algorithm",
        ) from error
