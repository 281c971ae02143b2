"""What onnxruntime-genai's model builder can make for which execution provider, and its further options. Pure.

Kept here since validation runs without the builder; a test compares it with the installed version.
"""

import difflib
from collections.abc import Iterator

from finetune_api.resource.exports import GPTQ, Export, ModelBuilder
from finetune_api.resource.systems import Accelerator
from finetune_api.training_arguments import Refusal

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

PRECISIONS: dict[str, tuple[str, ...]] = {
    CPU: ("int4", "int8", "fp32"),
    CUDA: ("int4", "int8", "fp16", "bf16"),
    "DmlExecutionProvider": ("int4", "fp16"),
    "WebGpuExecutionProvider": ("int4", "int8"),
    "NvTensorRTRTXExecutionProvider": ("fp16", "bf16"),
}
"""Execution provider to the precisions that run on it: what the builder itself calls valid, but for fp32 on CUDA, whose
graph it leaves without the nodes that make the key-value cache, so that onnxruntime refuses it."""

RUN_HERE = frozenset({CPU, CUDA})
"""Providers that the runner images bring, so that evaluate can run a graph made for them; CUDA's only one of them."""

NEEDS_ACCELERATOR = frozenset({CUDA})
"""Of these: providers whose graphs don't run without one, of NVIDIA."""

OTHER_VENDORS = ("amd.com/", "aws.amazon.com/", "google.com/", "gpu.intel.com/", "habana.ai/")
"""Begins the names of extended resources that are no NVIDIA device; a cluster's own names may begin with anything."""

ROUNDED = ("int4", "int8")
"""Precisions for which weights are rounded in blocks."""

MIXED = "matmul_mixed_precision"
"""The builder's option for more bits in some products."""

FURTHER = frozenset(
    {
        "aux_hidden_state_layers",
        "disable_qkv_fusion",
        "enable_cuda_fpa_intb_gemm",
        "enable_dml_graph",
        "enable_webgpu_graph",
        "exclude_mtp",
        "fuse_mlp_gate_up",
        "fuse_qk_norm_gqa",
        "fuse_qkv",
        "gpu_utilization_factor",
        "include_hidden_states",
        "kv_cache_quant_scheme",
        "kv_cache_rotation",
        "linear_attn_op",
        MIXED,
        "matmulnbits_weights_prepacked",
        "max_batch_size",
        "max_draft_tokens",
        "max_scheduled_tokens",
        "moe_quant_type",
        "num_blocks",
        "paged_block_size",
        "paged_chunk_size",
        "prune_lm_head",
        "qmoe_block_size",
        "qmoe_weights_prepacked",
        "shared_embeddings",
        "state_update_capacity",
        "state_window",
        "use_8bits_moe",
        "use_cuda_bf16",
        "use_device_allocator_for_initializers",
        "use_paged_attention",
        "use_webgpu_fp32",
        "windowed_kv_cache",
    }
)
"""Options that may stand under extraOptions, by the builder's own names."""

TYPED: dict[str, str] = {
    "accuracy_level": "accuracyLevel",
    "algo_config": "algorithm",
    "block_size": "blockSize",
    "enable_cuda_graph": "enableCudaGraph",
    "exclude_embeds": "excludeEmbeds",
    "exclude_lm_head": "excludeLmHead",
    "is_symmetric": "isSymmetric",
    "nodes_to_exclude": "nodesToExclude",
    "op_types_to_quantize": "opTypesToQuantize",
    "use_qdq": "useQdq",
}
"""Options that are fields of their own: the builder's name to the field's."""

_FILE = "it names a file, and a pass reads only its input"
REFUSED: dict[str, str] = {
    "hf_token": "the model is local",
    "hf_remote": "inputModel.trustRemoteCode decides it",
    "filename": "an exported model is called model.onnx",
    "config_only": "no model would be exported",
    "num_hidden_layers": "it cuts the model short, for the builder's own tests",
    "adapter_path": _FILE,
    "kv_cache_scale_file": _FILE,
    "mtp_quant_config": _FILE,
    **dict.fromkeys(("dflash2_path", "dspark_path"), _FILE),
    **dict.fromkeys(
        (
            "dflash2_num_draft_tokens",
            "dflash2_fuse_gate_up",
            "dflash2_fuse_qkv",
            "dflash2_precision",
            "dspark_num_draft_tokens",
            "dspark_top_k",
        ),
        "there is no draft model",
    ),
}
"""Options that are not taken, and why."""


def refusals(config: Export, provider: str) -> Iterator[Refusal]:
    """What is wrong with an export; each with the field's name."""
    yield from _precision(config, provider)
    yield from _rounding(config)
    yield from _calibration(config)
    if isinstance(config, ModelBuilder) and config.enable_cuda_graph and provider != CUDA:
        remedy = f"leave it out, or set executionProvider: {CUDA}"
        yield Refusal("enableCudaGraph", f"has no effect on {provider}", remedy)
    for name in config.extra_options:
        yield from _option(name)


def runs_on(provider: str, accelerator: Accelerator | None) -> bool:
    """Whether a system with this accelerator, or none, has an execution provider."""
    if provider not in NEEDS_ACCELERATOR:
        return provider in RUN_HERE
    return accelerator is not None and not accelerator.resource_name.startswith(OTHER_VENDORS)


def gives_logits(config: Export) -> bool:
    """Whether the exported graph goes from tokens to logits."""
    return not (isinstance(config, ModelBuilder) and (config.exclude_embeds or config.exclude_lm_head))


def _precision(config: Export, provider: str) -> Iterator[Refusal]:
    possible = PRECISIONS[provider]
    if config.precision not in possible:
        yield Refusal("precision", f"{config.precision} does not run on {provider}", f"use {' or '.join(possible)}")


def _rounding(config: Export) -> Iterator[Refusal]:
    if config.algorithm.startswith(("k_quant", GPTQ)) and config.is_symmetric:
        remedy = "leave it out, or use algorithm: rtn"
        yield Refusal("isSymmetric", f"{config.algorithm} always rounds with zero points", remedy)
    if config.precision == "int8" and config.use_qdq:
        yield Refusal("useQdq", "int8 has no QDQ form", "leave it out, or use precision: int4")
    if config.algorithm != "default":
        yield from _default_only(config)
    if config.precision in ROUNDED:
        return
    given = {
        "opTypesToQuantize": config.op_types_to_quantize,
        "nodesToExclude": config.nodes_to_exclude,
        "useQdq": config.use_qdq,
    }
    for field, value in given.items():
        if value:
            yield Refusal(field, f"has no effect with {config.precision}", "leave it out, or use precision: int4")


def _calibration(config: Export) -> Iterator[Refusal]:
    rows = config.calibration_data if isinstance(config, ModelBuilder) else ""
    if config.algorithm != GPTQ:
        if rows:
            yield Refusal("calibrationData", f"has no effect with algorithm: {config.algorithm}", "use algorithm: gptq")
        return
    if not isinstance(config, ModelBuilder):
        remedy = "use k_quant, or merge the adapter and export the model"
        yield Refusal("algorithm", "gptq would calibrate the base without its adapter", remedy)
    elif not rows:
        yield Refusal(
            "calibrationData", "gptq needs rows to calibrate by", "name a data config, such as the training rows'"
        )
    if config.precision != "int4":
        yield Refusal("algorithm", f"gptq rounds to 4 bits, and precision is {config.precision}", "use k_quant")
    if config.nodes_to_exclude:
        yield Refusal(
            "nodesToExclude", "gptq rounds all products of the decoder layers", "leave it out, or use k_quant"
        )
    if MIXED in config.extra_options:
        yield Refusal(
            f"extraOptions[{MIXED}]", "gptq rounds all products and the head to 4 bits", "leave it out, or use k_quant"
        )


def _default_only(config: Export) -> Iterator[Refusal]:
    """The builder silently leaves these out with every other algorithm."""
    message, remedy = f"has no effect with algorithm: {config.algorithm}", "use algorithm: default"
    if config.use_qdq:
        yield Refusal("useQdq", message, remedy)
    if "Gather" in config.op_types_to_quantize:
        yield Refusal("opTypesToQuantize", f"Gather {message}", remedy)


def _option(name: str) -> Iterator[Refusal]:
    field = f"extraOptions[{name}]"
    if name in TYPED:
        yield Refusal(field, "is a field of its own", f"set {TYPED[name]}")
    elif name in REFUSED:
        yield Refusal(field, f"is not taken: {REFUSED[name]}", "leave it out")
    elif name not in FURTHER:
        near = difflib.get_close_matches(name, [*sorted(FURTHER), *TYPED], n=1)
        remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(FURTHER))}"
        yield Refusal(field, "the model builder has no such option", remedy)
