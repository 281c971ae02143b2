"""GPTQ: what products say of the calibration rows is kept, and the export keeps every weight of it."""

import numpy as np
import onnxruntime_genai as og
import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.contract import DATA
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.passes.rounding.blocks import k_quant, on_grid
from finetune_runner.passes.rounding.gptq import Hessian, rounded_by_gptq
from finetune_runner.passes.rounding.matrix import Form, restored
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
    hessian = Hessian(96)
    hessian.add(inputs.reshape(4, 100, 96))

    found = rounded_by_gptq(weights, hessian, 32)

    lost, by_k_quant = ((inputs @ (w - weights).T).square().sum() for w in (found, in_blocks(weights, k_quant)))
    assert lost < 0.5 * by_k_quant
    torch.testing.assert_close(in_blocks(found, on_grid), found, rtol=1e-5, atol=1e-7)


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
