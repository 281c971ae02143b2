"""extractAdapters: a LoRA adapter's base becomes an ONNX model, and the adapter a file to load over it.

The output: that of modelBuilder, and adapter.onnx_adapter. The adapter's products are in the graph, their factors are
inputs of it; while none are loaded, it is the base alone.
"""

import json
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import ExtractAdapters
from finetune_runner.passes.builder_process import build
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.model_files import ONNX_ADAPTER
from finetune_runner.passes.trial import verified_on

FACTORS_ALONE = {
    "use_dora": "magnitudes",
    "modules_to_save": "modules trained in full",
    "lora_bias": "biases",
    "trainable_token_indices": "embeddings of new tokens",
}
"""Settings of peft's LoRA that bring more than two factors for each layer, and what they bring."""


def run(config: ExtractAdapters, inputs: PassInputs, report: Report) -> PassResult:
    """Exports the model in `inputs.base`, with the adapter in `inputs.source` as a file beside it.

    Raises:
        FineTuneError: ModelUnsupported (no plain LoRA adapter), ExportFailed, or OutOfHostMemory when the builder was
            killed.
        ValueError: there is no base.
    """
    if inputs.base is None:
        msg = "an adapter without its base cannot be extracted"
        raise ValueError(msg)
    _require_plain_lora(inputs)
    size = build(config, inputs, inputs.base, report, adapter=inputs.source)
    adapter = (inputs.output / ONNX_ADAPTER).stat().st_size
    figures = {"sizeMB": f"{size / 1e6:.1f}", "adapterMB": f"{adapter / 1e6:.1f}"}
    return PassResult(figures, verified_on=verified_on(config, inputs))


def _require_plain_lora(inputs: PassInputs) -> None:
    """That the adapter is all in its factors: the builder drops what else it does not know."""
    adapter = _settings(inputs.source)
    if adapter.get("peft_type") != "LORA":
        found = f"a {adapter.get('peft_type')} adapter, not LoRA"
    elif extra := [what for setting, what in FACTORS_ALONE.items() if adapter.get(setting)]:
        found = f"a LoRA adapter with {' and '.join(extra)}"
    else:
        return
    raise FineTuneError(
        Reason.MODEL_UNSUPPORTED,
        f"the adapter is {found}: an ONNX adapter holds two factors for each layer and nothing else",
        remedy="Tune with lora, qlora or loftq, or merge the adapter and export the model with modelBuilder.",
        path=inputs.path,
    )


def _settings(adapter: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return settings
