"""onnxruntime-genai's builder in a child process, and the rest of what an exported model's directory holds."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from finetune_api.export_options import CPU, CUDA, ROUNDED
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import GPTQ, Export, ModelBuilder
from finetune_runner.data.prompt_file import carry_prompt, prompt_name
from finetune_runner.passes.child_process import KILLED, ChildFailedError, run_logged
from finetune_runner.passes.contract import PassInputs, Report
from finetune_runner.passes.end_tokens import stop_exported_at_marks
from finetune_runner.passes.model_files import carry_notices

BUILDER_PROVIDERS = {
    CPU: "cpu",
    CUDA: "cuda",
    "DmlExecutionProvider": "dml",
    "WebGpuExecutionProvider": "webgpu",
    "NvTensorRTRTXExecutionProvider": "NvTensorRtRtx",
}
EXPECTED = ("model.onnx", "genai_config.json")
CHILD = "finetune_runner.passes.exporting.builder_child"
SURROUNDINGS = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "GIT_DIR": os.devnull}
"""The builder writes a commit into the model: its own without Git, else that of a checkout around the environment."""
SILENT_SECONDS = 1800
"""After so long without a line the builder is taken to hang: it has one for each layer and each weight it writes."""
SHOWN_LINES = 3
LAYER = re.compile(r"Reading layer (\d+)")
QUANTISED = re.compile(r"Progress: \[[# ]*\] ([\d.]+)%")
READ_SHARE = 10
"""Percent of the work that reading the layers is; rounding them takes far longer."""


def build(
    config: Export, inputs: PassInputs, model: Path, report: Report, *, adapters: Mapping[str, Path] | None = None
) -> int:
    """Exports into `inputs.output`: model.onnx with its data, genai_config.json, the tokenizer, prompts.

    Args:
        config: precision, rounding and runtime.
        inputs: the pass's directories and surroundings.
        model: the transformers directory to export.
        report: told how far it is, in percent.
        adapters: name of each LoRA adapter of the model to its directory; they are left beside the exported model.

    Returns:
        The size of the output in bytes.

    Raises:
        FineTuneError: ExportFailed, also when the builder hangs, or OutOfHostMemory when it was killed.
    """
    layers = _layer_count(model)
    with tempfile.TemporaryDirectory() as cache:
        request = child_request(config, inputs, model, cache, adapters or {})
        try:
            command = [sys.executable, "-m", CHILD, json.dumps(request)]
            run_logged(command, SURROUNDINGS, _progress(layers, report), SILENT_SECONDS)
        except ChildFailedError as error:
            raise _failure(error, inputs.path) from error
    _check(inputs)
    stop_exported_at_marks((adapters or {}).values(), inputs.output)
    for source in (*inputs.adapters.values(), inputs.source):
        carry_notices(source, inputs.output)
    _carry_prompts(inputs)
    return _size(inputs.output)


def _carry_prompts(inputs: PassInputs) -> None:
    """Each of several adapters is asked in the words that it was trained on."""
    for name, adapter in inputs.adapters.items():
        carry_prompt(adapter, inputs.output, prompt_name(name))
    if not inputs.adapters:
        carry_prompt(inputs.source, inputs.output)


def builder_options(config: Export, *, trust_remote_code: bool) -> list[str]:
    """The builder's extra options. Those of rounding are given only where weights are rounded."""
    given: dict[str, object] = {"hf_remote": trust_remote_code, "hf_token": False}
    if isinstance(config, ModelBuilder):
        given |= _graph_options(config)
    if config.precision in ROUNDED:
        given |= _rounding_options(config)
    return [f"{name}={_text(value)}" for name, value in (given | config.extra_options).items()]


def _graph_options(config: ModelBuilder) -> dict[str, object]:
    return {
        "exclude_embeds": config.exclude_embeds,
        "exclude_lm_head": config.exclude_lm_head,
        "enable_cuda_graph": config.enable_cuda_graph,
    }


def _rounding_options(config: Export) -> dict[str, object]:
    given = {
        "algo_config": "k_quant" if config.algorithm == GPTQ else config.algorithm,
        "block_size": config.block_size,
        "is_symmetric": config.is_symmetric is not False,
        "use_qdq": config.use_qdq,
        "accuracy_level": config.accuracy_level,
        "op_types_to_quantize": "/".join(config.op_types_to_quantize) or None,
        "nodes_to_exclude": ",".join(config.nodes_to_exclude) or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def child_request(
    config: Export, inputs: PassInputs, model: Path, cache: str, adapters: Mapping[str, Path]
) -> dict[str, object]:
    """What the child is asked for: the arguments of builder_child.export. `cache` is a folder for scratch."""
    return {
        "model": str(model),
        "output": str(inputs.output),
        "cache": cache,
        "precision": config.precision,
        "provider": BUILDER_PROVIDERS[config.execution_provider or inputs.execution_provider],
        "options": builder_options(config, trust_remote_code=inputs.trust_remote_code),
        "adapters": {name: str(directory) for name, directory in adapters.items()},
        "keeps_grid": config.algorithm == GPTQ,
    }


def _layer_count(model: Path) -> int:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return int(config.get("num_hidden_layers") or 1)


def _progress(layers: int, report: Report) -> Callable[[str], None]:
    """Reads percent of the work from the builder's lines."""

    def on_line(line: str) -> None:
        if layer := LAYER.search(line):
            report(step=min(READ_SHARE * (int(layer[1]) + 1) // layers, READ_SHARE), total_steps=100)
        elif share := QUANTISED.search(line):
            report(step=READ_SHARE + int(float(share[1]) * (100 - READ_SHARE) / 100), total_steps=100)

    return on_line


def _failure(error: ChildFailedError, path: str) -> FineTuneError:
    if error.status == KILLED:
        return FineTuneError(
            Reason.OUT_OF_HOST_MEMORY,
            "onnxruntime-genai's builder was killed, most likely for its memory",
            remedy="Raise the system's resources: memory; algorithm: default takes far more than k_quant and rtn.",
            path=path,
        )
    return FineTuneError(
        Reason.EXPORT_FAILED,
        f"onnxruntime-genai's builder {error}: {' | '.join(error.tail[-SHOWN_LINES:])}",
        remedy="See the pod's log with engine.logLevel: debug; another precision or algorithm may work.",
        path=path,
    )


def _check(inputs: PassInputs) -> None:
    missing = [name for name in EXPECTED if not (inputs.output / name).is_file()]
    if missing:
        message = f"onnxruntime-genai's builder ended without writing {' and '.join(missing)}"
        raise FineTuneError(Reason.EXPORT_FAILED, message, path=inputs.path)


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
