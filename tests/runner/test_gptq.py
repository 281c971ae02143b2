"""GPTQ: what products say of the calibration rows is kept, and the export keeps every weight of it."""

import numpy as np
import onnx_ir
import onnxruntime_genai as og
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import ModelBuilder
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.passes.contract import DATA
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.passes.rounding.blocks import k_quant, on_grid
from finetune_runner.passes.rounding.calibrated import round_decoder_layers
from finetune_runner.passes.rounding.gptq import calibration, rounded_by_gptq
from finetune_runner.passes.rounding.in_place import form_of
from finetune_runner.passes.rounding.matrix import Form, restored
from finetune_runner.passes.rounding.streams import RoundedRows
from passes import ROWS, TEMPLATE, data_set, export

pytestmark = pytest.mark.usefixtures("builder_here")

PLAIN = {"accuracyLevel": 1}
"""Products' inputs are not rounded."""


def in_blocks(weights, rounding, block_size=32):
    form = Form(rounding, 4, block_size, np.float32, keeps_zero_points=True)
    return torch.from_numpy(restored(lambda start, end: weights[start:end].numpy(), tuple(weights.shape), form))


@pytest.fixture(scope="module")
def product():
    """Weights, and inputs of which some go together, as those of a trained model do."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 24, generator=random) @ torch.randn(24, 96, generator=random)
    inputs += 0.1 * torch.randn(400, 96, generator=random)
    inputs[:, 5] = 0
    return 0.02 * torch.randn(64, 96, generator=random), inputs


def test_a_product_says_nearly_what_it_said_of_the_calibration_rows(product):
    weights, inputs = product

    found = rounded_by_gptq(weights, calibration(inputs, inputs), 32)

    lost, by_k_quant = ((inputs @ (w - weights).T).square().sum() for w in (found, in_blocks(weights, k_quant)))
    assert lost < 0.5 * by_k_quant
    torch.testing.assert_close(in_blocks(found, on_grid), found, rtol=1e-5, atol=1e-7)


def test_a_product_makes_up_for_what_its_inputs_lost_by_rounding_before_it(product):
    weights, inputs = product
    random = torch.Generator().manual_seed(1)
    rounded = inputs + inputs @ (0.02 * torch.randn(96, 96, generator=random))

    def lost(calibrated):
        return (rounded @ rounded_by_gptq(weights, calibrated, 32).T - inputs @ weights.T).square().sum()

    assert lost(calibration(inputs, rounded)) < 0.5 * lost(calibration(rounded, rounded))


def exported_head(directory):
    """The head's weights as the artifact has them, in floats."""
    parts = {
        name: value.const_value for name, value in onnx_ir.load(directory / "model.onnx").graph.initializers.items()
    }
    packed, scales, zeros = (parts[f"lm_head.MatMul.weight{part}"].numpy() for part in ("_Q4G32", "_scale", "_zp"))
    levels, zero_points = (np.stack((some & 15, some >> 4), -1) for some in (packed, zeros))
    rows = scales.shape[0]
    steps = levels.reshape(rows, -1, 32).astype(np.float32) - zero_points.reshape(rows, -1)[:, : scales.shape[1], None]
    return torch.from_numpy((steps * scales[:, :, None]).reshape(rows, -1))


def test_the_rows_meet_the_embedding_that_the_export_will_have(tiny_gemma3, tmp_path):
    config = ModelBuilder(algorithm="gptq")
    export(tiny_gemma3, tmp_path / "onnx", algorithm="gptq", calibrationData="tones", data={DATA: data_set()})
    embedding = AutoModelForCausalLM.from_pretrained(tiny_gemma3, dtype=torch.float32).get_input_embeddings()
    weights, ids = embedding.weight.data, torch.tensor([[3, 5, 8], [5, 9, 3]])

    found = RoundedRows(embedding, form_of(config, 4))(ids)

    torch.testing.assert_close(found[ids], exported_head(tmp_path / "onnx")[ids])
    torch.testing.assert_close(found[10:], weights[10:], rtol=0, atol=0)


def first_layer(model, output, **fields):
    """A projection of the first layer, rounded for an export."""
    output.mkdir()
    sequences = [
        TokenSequence(ids, [True] * len(ids)) for ids in ([3, 5, 8, 13, 21], [2, 4, 6, 10], [7, 11, 9, 40, 41, 50])
    ]
    config = ModelBuilder.model_validate({"algorithm": "gptq", **fields})
    round_decoder_layers(model, output, sequences, config, lambda **_: None)
    return load_file(output / "layer-0.safetensors")["model.layers.0.mlp.down_proj.weight"]


def test_an_embedding_is_rounded_only_where_the_export_rounds_it(tiny_gemma3, tmp_path):
    shared = first_layer(tiny_gemma3, tmp_path / "shared")
    apart = first_layer(tiny_gemma3, tmp_path / "apart", extraOptions={"shared_embeddings": "false"})
    products = first_layer(tiny_gemma3, tmp_path / "products", opTypesToQuantize=["MatMul"])

    torch.testing.assert_close(products, apart, rtol=0, atol=0)
    assert not torch.equal(shared, apart)


def directory_logits(directory, ids):
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)(torch.tensor([ids])).logits[0]


def artifact_logits(directory, ids):
    model = og.Model(str(directory))
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=128)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.array(ids, dtype=np.int32))
    return torch.tensor(generator.get_output("logits")[0])


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_the_artifact_is_nearer_to_the_model_than_by_k_quant(name, request, tmp_path):
    model = request.getfixturevalue(name)
    export(model, tmp_path / "gptq", algorithm="gptq", calibrationData="tones", data={DATA: data_set()}, **PLAIN)
    export(model, tmp_path / "k_quant", algorithm="k_quant", **PLAIN)
    tokenizer = load_tokenizer(model, trust_remote_code=False)
    texts = [tokenizer(TEMPLATE.format(**row))["input_ids"] for row in ROWS[:4]]

    def divergence(artifact):
        pairs = [(artifact_logits(artifact, ids), directory_logits(model, ids)) for ids in texts]
        found, expected = (torch.log_softmax(torch.cat(logits), -1) for logits in zip(*pairs, strict=True))
        return torch.nn.functional.kl_div(found, expected, log_target=True, reduction="batchmean")

    assert divergence(tmp_path / "gptq") < divergence(tmp_path / "k_quant")
    sizes = [sum(file.stat().st_size for file in (tmp_path / way).iterdir()) for way in ("gptq", "k_quant")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_without_rows_it_says_so(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="'tones' has no rows to calibrate by") as caught:
        export(tiny_phi3, tmp_path / "onnx", algorithm="gptq", calibrationData="tones", data={DATA: data_set([])})
    assert (caught.value.reason, caught.value.path) == (
        Reason.DATASET_INVALID,
        "spec.passes[2].modelBuilder.calibrationData",
    )
