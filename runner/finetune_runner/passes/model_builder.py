"""modelBuilder: a model becomes an ONNX model for onnxruntime-genai.

The output: model.onnx with its data, genai_config.json, the tokenizer, prompt.json.
"""

from finetune_api.resource.exports import ModelBuilder
from finetune_runner.passes.builder_process import build
from finetune_runner.passes.contract import PassInputs, PassResult, Report


def run(config: ModelBuilder, inputs: PassInputs, report: Report) -> PassResult:
    """Exports the model in `inputs.source`.

    Raises:
        FineTuneError: ExportFailed, or OutOfHostMemory when the builder was killed.
    """
    return PassResult({"sizeMB": f"{build(config, inputs, inputs.source, report) / 1e6:.1f}"})
