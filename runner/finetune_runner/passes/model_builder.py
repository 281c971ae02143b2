"""modelBuilder: a model becomes an ONNX model for onnxruntime-genai.

The output: model.onnx with its data, genai_config.json, the tokenizer, prompt.json.
"""

from finetune_api.resource.exports import ModelBuilder
from finetune_runner.passes.builder_process import build
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.trial import verified_on


def run(config: ModelBuilder, inputs: PassInputs, report: Report) -> PassResult:
    """Exports the model in `inputs.source`, and has it answer where its execution provider is.

    Raises:
        FineTuneError: ExportFailed, or OutOfHostMemory when the builder or the model was killed.
    """
    size = build(config, inputs, inputs.source, report)
    return PassResult({"sizeMB": f"{size / 1e6:.1f}"}, verified_on=verified_on(config, inputs))
