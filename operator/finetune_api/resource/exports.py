"""The passes that export to ONNX."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import MAX_NAMED, Model, Name, empty_list

NodeName = Annotated[str, StringConstraints(pattern=r"^[^,]+$", min_length=1, max_length=256)]
OptionName = Annotated[str, StringConstraints(min_length=1, max_length=63)]
OptionValue = Annotated[str, StringConstraints(max_length=1024)]
ExecutionProvider = Literal[
    "CPUExecutionProvider",
    "CUDAExecutionProvider",
    "DmlExecutionProvider",
    "WebGpuExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
]
"""As onnxruntime names them."""

GPTQ = "gptq"
"""Of algorithm."""


class Export(Model):
    """What all exports say: for which runtime, and how weights are rounded."""

    precision: Literal["int4", "int8", "fp16", "bf16", "fp32"] = Field(
        default="int4", description="Precision of the exported weights; which ones run depends on the provider."
    )
    execution_provider: Literal["", ExecutionProvider] = Field(
        default="",
        description="Runtime the graph is made for; empty: engine.target.executionProvider.",
    )
    algorithm: Literal[
        "default", "rtn", "k_quant", "rtn_last", "k_quant_last", "k_quant_mixed", "k_quant_linear", "gptq"
    ] = Field(
        default="k_quant",
        description="Rounding of int4 and int8: rtn (round to nearest, fast; default: another implementation of it) or k_quant"
        " (searches each block's scale, loses less); …_last keeps the output head in int8, …_mixed and …_linear further layers"
        " too. gptq (int4 of modelBuilder) rounds the decoder layers by what they say of calibrationData.",
    )
    block_size: Literal[16, 32, 64, 128, 256] = Field(
        default=32, description="Weights that share a scale in int4 and int8."
    )
    is_symmetric: bool | None = Field(
        default=None,
        description="int4 and int8 without zero points. Unset: true with rtn; k_quant always has zero points.",
    )
    accuracy_level: int | None = Field(
        default=None,
        ge=0,
        le=4,
        description="Minimum accuracy of a rounded product's input: 0 unset, 1 fp32, 2 fp16, 3 bf16, 4 int8. Unset: 4 for CPU"
        " and WebGPU, else 0.",
    )
    op_types_to_quantize: list[Literal["MatMul", "Gather"]] = Field(
        default_factory=empty_list,
        max_length=2,
        description="Operators whose weights are rounded. Empty: MatMul. Where embedding and head are one, Gather is rounded"
        " with it; else it may be named with algorithm: default only.",
    )
    nodes_to_exclude: list[NodeName] = Field(
        default_factory=empty_list,
        max_length=256,
        description="Nodes whose weights are not rounded, by their full name.",
    )
    use_qdq: bool = Field(
        default=False,
        description="int4 as pairs of QuantizeLinear and DequantizeLinear instead of MatMulNBits; algorithm: default only.",
    )
    extra_options: Annotated[dict[OptionName, OptionValue], Field(max_length=32)] = Field(
        default_factory=dict,
        description="Further options of the model builder, by its own names. Unknown ones are refused.",
    )


class ModelBuilder(Export):
    """Export to ONNX by onnxruntime-genai's model builder."""

    calibration_data: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="Data config with the rows that gptq calibrates by, such as the training rows; the first 128 count.",
    )
    exclude_embeds: bool = Field(default=False, description="Leave the embedding out: the graph's input is vectors.")
    exclude_lm_head: bool = Field(default=False, description="Leave the head out: the graph's output is hidden states.")
    enable_cuda_graph: bool = Field(default=False, description="Have CUDA record and replay the graph (CUDA only).")


class ExtractAdapters(Export):
    """Export a base to ONNX, and beside it its LoRA adapters as files that are loaded over the base and swapped."""

    further_adapters: list[Name] = Field(
        default_factory=empty_list,
        max_length=MAX_NAMED - 2,
        description="Passes whose adapters of the same base, on the same layers, go over the one graph too, beside that of"
        " `input`. Then each adapter's file is called after its pass: NAME.onnx_adapter; alone it is adapter.onnx_adapter.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
