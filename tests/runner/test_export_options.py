"""The builder's options and providers: what is listed is what it has, and what is set shows in the graph."""

import json
import re
from pathlib import Path

import onnx_ir
import onnxruntime_genai
import pytest

from finetune_api.export_options import CUDA, FURTHER, PRECISIONS, REFUSED, TYPED
from passes import export_here

HEAD = "/lm_head/MatMul"


def test_every_option_that_the_builder_documents_is_a_field_or_further_or_refused_and_only_one_of_them():
    text = (Path(onnxruntime_genai.__file__).parent / "models/builder.py").read_text()
    help_text = text[text.index('"--extra_options"') : text.index('"--builder_config_version"')]

    assert set(re.findall(r"^ {16}([a-z0-9_]+) = ", help_text, re.MULTILINE)) == FURTHER | set(REFUSED) | set(TYPED)
    assert len(FURTHER) + len(REFUSED) + len(TYPED) == len(FURTHER | set(REFUSED) | set(TYPED))


def test_precisions_are_those_that_the_builder_calls_valid():
    text = (Path(onnxruntime_genai.__file__).parent / "models/builder.py").read_text()
    listed = re.search(r"combinations are: (.*)\"", text)[1].split(", ")
    names = {"CPU": "CPU", "CUDA": "CUDA", "DML": "Dml", "WebGPU": "WebGpu", "TRT-RTX": "NvTensorRTRTX"}
    pairs = {
        (f"{names[provider]}ExecutionProvider", precision.lower()) for precision, provider in map(str.split, listed)
    }

    ours = {(provider, precision) for provider, possible in PRECISIONS.items() for precision in possible}
    assert ours == pairs - {(CUDA, "fp32")}


OTHERS = [(p, precision) for p, possible in PRECISIONS.items() if p != "CPUExecutionProvider" for precision in possible]
OPTION_NAMES = {"CUDA": "cuda", "Dml": "dml", "WebGpu": "webgpu", "NvTensorRTRTX": "NvTensorRtRtx"}


@pytest.mark.parametrize(("provider", "precision"), OTHERS, ids=map("-".join, OTHERS))
def test_an_export_for_another_runtime_is_built_and_names_it(provider, precision, tiny_phi3, tmp_path):
    export_here(tiny_phi3, tmp_path / "onnx", executionProvider=provider, precision=precision, algorithm="rtn")

    config = json.loads((tmp_path / "onnx/genai_config.json").read_text())
    named = [name for options in config["model"]["decoder"]["session_options"]["provider_options"] for name in options]
    assert named == [OPTION_NAMES[provider.removesuffix("ExecutionProvider")]]
    built = onnx_ir.load(tmp_path / "onnx/model.onnx").graph
    assert [value.name for value in built.outputs if value.producer() is None] == []


def test_of_a_graph_in_fp32_for_cuda_the_builder_makes_no_whole_one(tiny_phi3, tmp_path):
    """Its fault; once it is mended, PRECISIONS may have it."""
    built = graph(tiny_phi3, tmp_path / "onnx", executionProvider=CUDA, precision="fp32")

    assert "present.0.key" in [value.name for value in built.outputs if value.producer() is None]


def graph(model, output, **fields):
    export_here(model, output, **fields)
    return onnx_ir.load(output / "model.onnx").graph


def rounded(nodes):
    return {node.name.removesuffix("_Q4") for node in nodes if node.op_type == "MatMulNBits"}


def test_an_excluded_node_is_not_rounded(tiny_phi3, tmp_path):
    nodes = graph(tiny_phi3, tmp_path / "a", algorithm="rtn")
    fewer = graph(tiny_phi3, tmp_path / "b", algorithm="rtn", nodesToExclude=[HEAD])

    assert {node.name for node in fewer if node.op_type == "MatMul"} == {HEAD}
    assert len(rounded(nodes)) == len(rounded(fewer)) + 1


def attribute(nodes, name):
    return {node.attributes[name].as_int() for node in nodes if node.op_type == "MatMulNBits"}


@pytest.mark.parametrize("algorithm", ["default", "rtn", "k_quant"])
def test_int8_rounds_to_eight_bits(algorithm, tiny_phi3, tmp_path):
    assert attribute(graph(tiny_phi3, tmp_path / "onnx", precision="int8", algorithm=algorithm), "bits") == {8}


@pytest.mark.parametrize("algorithm", ["rtn_last", "k_quant_last", "k_quant_mixed", "k_quant_linear"])
def test_a_mixed_algorithm_keeps_some_in_eight_bits(algorithm, tiny_phi3, tmp_path):
    assert attribute(graph(tiny_phi3, tmp_path / "onnx", algorithm=algorithm), "bits") == {4, 8}


@pytest.mark.parametrize(("field", "value"), [("blockSize", 64), ("accuracyLevel", 1)])
def test_a_rounding_option_stands_in_every_node(field, value, tiny_phi3, tmp_path):
    name = {"blockSize": "block_size", "accuracyLevel": "accuracy_level"}[field]

    assert attribute(graph(tiny_phi3, tmp_path / "onnx", algorithm="rtn", **{field: value}), name) == {value}


def test_gather_rounds_the_embedding_too(tiny_phi3, tmp_path):
    nodes = graph(tiny_phi3, tmp_path / "onnx", algorithm="default", opTypesToQuantize=["MatMul", "Gather"])

    assert any(node.op_type == "GatherBlockQuantized" for node in nodes)


def test_qdq_is_used_instead_of_the_fused_product(tiny_phi3, tmp_path):
    nodes = graph(tiny_phi3, tmp_path / "onnx", algorithm="default", useQdq=True)

    assert "DequantizeLinear" in {node.op_type for node in nodes}
    assert rounded(nodes) == set()


def test_without_embedding_vectors_go_in_and_without_head_hidden_states_come_out(tiny_phi3, tmp_path):
    nodes = graph(tiny_phi3, tmp_path / "onnx", precision="fp32", excludeEmbeds=True, excludeLmHead=True)

    assert "inputs_embeds" in {value.name for value in nodes.inputs}
    assert "hidden_states" in {value.name for value in nodes.outputs}


def test_a_cuda_graph_is_asked_for_in_the_config(tiny_phi3, tmp_path):
    export_here(
        tiny_phi3,
        tmp_path / "onnx",
        precision="fp16",
        executionProvider="CUDAExecutionProvider",
        enableCudaGraph=True,
    )

    config = json.loads((tmp_path / "onnx/genai_config.json").read_text())
    [options] = config["model"]["decoder"]["session_options"]["provider_options"]
    assert options["cuda"]["enable_cuda_graph"] == "1"


def test_a_further_option_is_handed_on(tiny_phi3, tmp_path):
    nodes = graph(tiny_phi3, tmp_path / "onnx", precision="fp32", extraOptions={"include_hidden_states": "true"})

    assert {"logits", "hidden_states"} <= {value.name for value in nodes.outputs}
