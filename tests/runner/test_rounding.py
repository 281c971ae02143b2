"""Rounding as a model is written: the graph is the builder's own, its weights are as near or nearer."""

import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx_ir
import onnxruntime_genai as og
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.neural_compressor.weight_only import rtn_quantize
from transformers import AutoModelForCausalLM

from export_peak import taken
from finetune_runner.passes.rounding import graph
from finetune_runner.passes.rounding.blocks import k_quant, nearest, nearest_symmetric
from finetune_runner.passes.rounding.mapped import page_out
from finetune_runner.passes.rounding.matrix import Form, rounded
from passes import export_here
from random_decoder import make_random_decoder

KINDS = {
    "rtn, symmetric": (nearest_symmetric, False, {"algorithm": "RTN", "scheme": "sym"}),
    "rtn": (nearest, True, {"algorithm": "RTN", "scheme": "asym"}),
    "k_quant": (k_quant, True, {"algorithm": "k_quant", "scheme": "asym"}),
}


def draw(kind, shape=(64, 256)):
    random = np.random.default_rng(0)
    if kind == "heavy-tailed":
        return (0.02 * random.standard_t(3, size=shape)).astype(np.float32)
    if kind == "of one sign":
        return random.uniform(0.5, 1, size=shape).astype(np.float32)
    if kind == "from four bits":
        scales = random.uniform(0.01, 0.02, size=(shape[0], shape[1] // 32, 1))
        levels = random.integers(-8, 8, size=(shape[0], shape[1] // 32, 32))
        return (scales * levels).reshape(shape).astype(np.float32)
    return (0.02 * random.normal(size=shape)).astype(np.float32)


def ours(weights, kind, bits=4, block_size=32):
    rounding, keeps_zero_points, _ = KINDS[kind]
    form = Form(rounding, bits, block_size, np.float32, keeps_zero_points)
    return rounded(lambda start, end: weights[start:end], weights.shape, form)


def onnxruntimes(weights, kind, bits=4, block_size=32):
    """What onnxruntime's quantiser makes of a graph of one product."""
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    sizes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in "xy"]
    graph = helper.make_graph([product], "g", sizes[:1], sizes[1:], [numpy_helper.from_array(weights.T.copy(), "w")])
    settings = dict(KINDS[kind][2])
    scheme = settings.pop("scheme")
    config = {"product": {"bits": bits, "group_size": block_size, "scheme": scheme}}
    model = rtn_quantize(helper.make_model(graph), weight_config=config, **settings).model
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    names = {"weights": f"w_Q{bits}G{block_size}", "scales": "w_scale", "zero_points": "w_zp"}
    return {part: found[name] for part, name in names.items() if name in found}


def restored(parts, shape, bits=4):
    levels, zero_points = parts["weights"], parts.get("zero_points")
    if bits == 4:
        levels = np.stack([levels & 15, levels >> 4], axis=-1).reshape(*levels.shape[:-1], -1)
        zero_points = np.stack([zero_points & 15, zero_points >> 4], axis=-1).reshape(len(zero_points), -1)
    zero_points = zero_points[:, : levels.shape[1], None].astype(np.float32)
    whole = (levels.astype(np.float32) - zero_points) * parts["scales"].reshape(*levels.shape[:-1], 1)
    return whole.reshape(shape[0], -1)[:, : shape[1]]


@pytest.mark.parametrize("block_size", [16, 32, 128])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", ["rtn, symmetric", "rtn"])
def test_round_to_nearest_gives_onnxruntimes_bytes(kind, bits, block_size):
    weights = draw("heavy-tailed")

    expected = onnxruntimes(weights, kind, bits, block_size)
    found = ours(weights, kind, bits, block_size)

    assert set(found) == set(expected)
    for part, values in expected.items():
        np.testing.assert_array_equal(found[part], values, err_msg=part)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("weights", ["normal", "heavy-tailed", "of one sign", "from four bits"])
def test_k_quant_has_a_lower_error_than_onnxruntimes(weights, bits):
    weights = draw(weights)
    by_block = weights.reshape(-1, 32)
    importance = (np.abs(by_block) + np.sqrt(np.mean(by_block**2, axis=1, keepdims=True))).reshape(weights.shape)

    left, theirs = (
        restored(how(weights, "k_quant", bits), weights.shape, bits) - weights for how in (ours, onnxruntimes)
    )

    assert np.sum(importance * left**2) < np.sum(importance * theirs**2)
    assert np.sum(left**2) < np.sum(theirs**2)


ALGORITHMS = [
    {"algorithm": "rtn"},
    {"algorithm": "rtn", "isSymmetric": False, "precision": "int8"},
    {"algorithm": "rtn", "executionProvider": "CUDAExecutionProvider"},
    {"algorithm": "k_quant", "blockSize": 16, "accuracyLevel": 1},
    {"algorithm": "k_quant_last"},
    {"algorithm": "k_quant_mixed", "nodesToExclude": ["/model/layers.0/mlp/down_proj/MatMul"]},
    {"algorithm": "k_quant", "executionProvider": "WebGpuExecutionProvider"},
]


@pytest.fixture
def by_the_builder_alone(monkeypatch):
    """Exports with nothing of ours in the builder."""

    def exported(model, output, **fields):
        with monkeypatch.context() as patch:
            patch.setattr(graph, "rounding", lambda *_, **__: nullcontext())
            export_here(model, output, **fields)
        return onnx_ir.load(output / "model.onnx")

    return exported


def described(model):
    """Nodes with their inputs, outputs and attributes, and weights with their types and shapes."""
    nodes = {
        node.name: (
            node.op_type,
            node.domain,
            [value.name if value else None for value in node.inputs],
            [value.name for value in node.outputs],
            {name: attribute.value for name, attribute in node.attributes.items() if attribute.type.name != "TENSOR"},
        )
        for node in model.graph
    }
    weights = {
        name: (value.const_value.dtype, list(value.const_value.shape))
        for name, value in model.graph.initializers.items()
    }
    return nodes, weights, [value.name for value in model.graph.outputs]


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
@pytest.mark.parametrize("fields", ALGORITHMS, ids=lambda fields: "-".join(map(str, fields.values())))
def test_the_graph_is_the_builders_own(name, fields, request, tmp_path, by_the_builder_alone):
    model = request.getfixturevalue(name)
    expected = by_the_builder_alone(model, tmp_path / "theirs", **fields)
    export_here(model, tmp_path / "ours", **fields)
    found = onnx_ir.load(tmp_path / "ours" / "model.onnx")

    assert described(found) == described(expected)
    assert dict(found.opset_imports) == dict(expected.opset_imports)


IDS = list(range(3, 60))


def onnx_logits(directory):
    model = og.Model(str(directory))
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=128)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.array(IDS, dtype=np.int32))
    return torch.tensor(generator.get_output("logits")[0])


def divergence(directory, model):
    """Of the artifact's next tokens from the model's: Kullback-Leibler, in nats a token."""
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(model)(torch.tensor([IDS])).logits[0]
    found = torch.log_softmax(onnx_logits(directory), -1)
    return torch.nn.functional.kl_div(found, torch.log_softmax(expected, -1), log_target=True, reduction="batchmean")


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_k_quant_stays_as_near_to_the_model_as_the_builders_own(name, request, tmp_path, by_the_builder_alone):
    model = request.getfixturevalue(name)
    by_the_builder_alone(model, tmp_path / "theirs", algorithm="k_quant")
    export_here(model, tmp_path / "ours", algorithm="k_quant")

    assert divergence(tmp_path / "ours", model) <= divergence(tmp_path / "theirs", model)


def test_rows_of_an_odd_number_of_blocks_are_exported_too(tmp_path):
    sizes = {"hidden_size": 96, "num_attention_heads": 3, "num_key_value_heads": 3, "intermediate_size": 160}
    model = make_random_decoder(
        {"model_type": "llama", "num_hidden_layers": 2, "vocab_size": 320, "initializer_range": 0.1, **sizes},
        tmp_path / "model",
        dtype="float32",
    )

    export_here(model, tmp_path / "onnx")

    assert divergence(tmp_path / "onnx", model) < 0.05


def test_a_layer_as_wide_as_the_vocabulary_is_not_taken_for_the_head(tmp_path):
    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 320}
    model = make_random_decoder(
        {"model_type": "llama", "num_hidden_layers": 2, "vocab_size": 320, "initializer_range": 0.1, **sizes},
        tmp_path / "model",
        dtype="float32",
    )

    export_here(model, tmp_path / "onnx", precision="fp32")

    assert divergence(tmp_path / "onnx", model) < 1e-5


def test_an_export_holds_no_second_copy_of_the_weights(tmp_path):
    sizes = {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "num_hidden_layers": 16}
    config = {"model_type": "llama", "vocab_size": 320, "num_key_value_heads": 4, **sizes}
    model = make_random_decoder(config, tmp_path / "model")

    found = taken(model, tmp_path / "onnx", rounding_here=True)

    assert found.anonymous < 2 * found.parameters  # bytes: the weights are in bfloat16


def resident(file):
    """Bytes of a mapped file that are in this process's memory: proc_pid_smaps(5)."""
    maps = Path("/proc/self/smaps").read_text().split("VmFlags:")
    return sum(1024 * int(re.search(r"\nRss: +(\d+)", part)[1]) for part in maps if str(file) in part)


def test_pages_of_a_mapped_file_are_given_back_and_can_be_read_again(tmp_path):
    np.arange(2**20, dtype=np.float32).tofile(tmp_path / "weights")
    weights = torch.from_file(str(tmp_path / "weights"), shared=False, size=2**20)
    before = weights.sum()
    assert resident(tmp_path / "weights") == weights.nbytes

    page_out(weights)

    assert resident(tmp_path / "weights") < weights.nbytes / 16
    assert weights.sum() == before


def test_what_was_changed_in_memory_alone_stays(tmp_path):
    np.zeros(2**20, dtype=np.float32).tofile(tmp_path / "weights")
    weights = torch.from_file(str(tmp_path / "weights"), shared=False, size=2**20)
    weights[7] = 5

    page_out(weights)

    assert (weights[7], weights.sum()) == (5, 5)


def test_pages_of_memory_that_no_file_has_stay():
    weights = torch.arange(2**20, dtype=torch.float32)
    page_out(weights[:0])
    page_out(weights)
    assert weights.equal(torch.from_numpy(np.arange(2**20, dtype=np.float32)))
