"""Runs onnxruntime-genai's builder; the main module of the child process that builder_process starts.

A process of its own, since the builder can abort the process it runs in.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_runner.passes.exporting.onnx_adapter import LoraProducts, split
from finetune_runner.passes.exporting.output_head import own_head
from finetune_runner.process import imports, leave

BUILDERS = "builders"
"""The package of the builder's model classes, as it is called on the sys.path that the builder makes."""
GEMMA3_ARCHITECTURES = ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration")


def main() -> None:
    """Exports as the only argument says: JSON with the arguments of `export`."""
    request = json.loads(sys.argv[1])
    export(**request)


def export(
    *,
    model: str,
    output: str,
    cache: str,
    precision: str,
    provider: str,
    options: list[str],
    adapters: dict[str, str],
    keeps_grid: bool,
) -> None:
    """One export.

    Args:
        model: the transformers directory.
        output: where model.onnx, genai_config.json and the tokenizer go.
        cache: scratch.
        precision: int4, int8, fp16, bf16 or fp32.
        provider: the builder's name of an execution provider: cpu, cuda, dml, webgpu or NvTensorRtRtx.
        options: the builder's extra options, as key=value.
        adapters: name of each LoRA adapter of the model to its directory; they lie on the same layers, and are
            written beside it. The builder makes the graph with the first.
        keeps_grid: weights that lie on a grid of four bits stay as they are.
    """
    # Importing it takes seconds and changes sys.path.
    with imports():
        from onnxruntime_genai.models import builder  # noqa: PLC0415

        from finetune_runner.passes.rounding.graph import rounding  # noqa: PLC0415

    model_class = importlib.import_module(BUILDERS).Model
    first = next(iter(adapters), None)
    products = LoraProducts({name: directory for name, directory in adapters.items() if name != first})
    if first:
        options = [*options, f"adapter_path={adapters[first]}"]
    parsed = builder.parse_extra_options("", model, output, precision, provider, cache, options)
    flatten_rotary_settings(parsed["hf_details"]["hf_config"])
    with rounding(model_class, keeps_grid=keeps_grid), products.watched(model_class), own_head(model_class):
        builder.create_model("", model, output, precision, provider, cache, **parsed)
    if first:
        products.check()
        split(Path(output), products, first)


def flatten_rotary_settings(config: Any) -> None:
    """Hands the builder Gemma 3's rotary settings as it reads them.

    transformers 5 keeps them per type of layer; the builder reads flat ones for the global layers and
    rope_local_base_freq for the sliding ones. Were only what it misses filled in, it would use the default theta.
    """
    per_type = getattr(config, "rope_parameters", None)
    is_gemma3 = any(name in GEMMA3_ARCHITECTURES for name in config.architectures or [])
    if not is_gemma3 or not isinstance(per_type, Mapping) or "full_attention" not in per_type:
        return
    config.rope_local_base_freq = per_type["sliding_attention"]["rope_theta"]
    config.rope_theta = per_type["full_attention"]["rope_theta"]
    config.rope_parameters = dict(per_type["full_attention"])


if __name__ == "__main__":
    main()
    leave(0)
