"""extractAdapters: the base of LoRA adapters becomes an ONNX model, and each adapter a file to load over it.

The output: that of modelBuilder, and adapter.onnx_adapter; of several adapters NAME.onnx_adapter and NAME.prompt.json
each. The adapters' products are in the graph, their factors inputs of it; while none are loaded, it is the base alone.
"""

from finetune_api.resource.exports import ExtractAdapters
from finetune_runner.artifact.adapters import ALONE, adapter_file
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.exporting.adapter_layers import require_plain_lora, require_same_layers
from finetune_runner.passes.exporting.builder_process import build
from finetune_runner.passes.exporting.trial import verified_on


def run(config: ExtractAdapters, inputs: PassInputs, report: Report) -> PassResult:
    """Exports the model in `inputs.base`, with the adapter in `inputs.source`, or all of `inputs.adapters`, beside it.

    Raises:
        FineTuneError: ModelUnsupported (no plain LoRA adapter, or adapters on different layers), ExportFailed, or
            OutOfHostMemory when the builder was killed.
        ValueError: there is no base.
    """
    if inputs.base is None:
        msg = "an adapter without its base cannot be extracted"
        raise ValueError(msg)
    adapters = inputs.adapters or {ALONE: inputs.source}
    for place, adapter in enumerate(adapters.values()):
        require_plain_lora(adapter, _path(inputs, place))
        require_same_layers(inputs.source, adapter, _path(inputs, place))
    size = build(config, inputs, inputs.base, report, adapters=adapters)
    factors = sum((inputs.output / adapter_file(name)).stat().st_size for name in adapters)
    figures = {"sizeMB": f"{size / 1e6:.1f}", "adapterMB": f"{factors / 1e6:.1f}"}
    return PassResult(figures, verified_on=verified_on(config, inputs))


def _path(inputs: PassInputs, place: int) -> str:
    """Where an adapter is named: the first is the pass's input."""
    return f"{inputs.path}.furtherAdapters[{place - 1}]" if place else inputs.path
