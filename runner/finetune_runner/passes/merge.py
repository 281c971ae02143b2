"""mergeAdapterWeights: an adapter and its full-precision base become a model without adapter.

The output: config.json, model.safetensors, the tokenizer, generation_config.json, prompt.json.
"""

from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from finetune_api.resource.passes import MergeAdapterWeights
from finetune_runner.data.prompt_file import carry_prompt
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.devices import CPU
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.model_files import carry_notices, carry_tokenizer

STORED = "auto"
"""The type the base's weights are stored in, which the merged model keeps."""


def run(config: MergeAdapterWeights, inputs: PassInputs, report: Report) -> PassResult:  # noqa: ARG001
    """Merges the adapter in `inputs.source` into the model in `inputs.base`, on the CPU.

    A qlora or loftq adapter goes into the full-precision base as well, not into the 4-bit weights that it was
    trained beside.

    Raises:
        FineTuneError: ModelUnsupported or ArtifactCorrupt.
        ValueError: there is no base, or the merged weights are not finite.
    """
    if inputs.base is None:
        msg = "an adapter without its base cannot be merged"
        raise ValueError(msg)
    base = load_model(inputs.base, dtype=STORED, device=CPU, trust_remote_code=inputs.trust_remote_code)
    merged = merged_model(PeftModel.from_pretrained(base, inputs.source), report)
    merged.save_pretrained(inputs.output)
    carry_tokenizer(inputs.source, inputs.output)
    carry_notices(inputs.source, inputs.output)
    carry_prompt(inputs.source, inputs.output)
    return PassResult()


def merged_model(model: Any, report: Report) -> Any:
    """The model with the weights as the adapter changes them (LoRA: W + B·A·alpha/r) and no adapter.

    Raises:
        ValueError: a merged weight is not finite.
    """
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            _merge_layer(layer)
            report(step=number, total_steps=len(layers))
    return model.merge_and_unload()


def _merge_layer(layer: Any) -> None:
    """Adds in float32 and rounds once: in bfloat16, the product would be rounded before the sum."""
    base = layer.get_base_layer()
    stored = base.weight.dtype
    base.weight.data = base.weight.data.float()
    layer.merge(safe_merge=True)
    base.weight.data = base.weight.data.to(stored)
