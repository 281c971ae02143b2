"""GPTQ: what products say of the calibration rows is kept, and the export keeps every weight of it."""

import gc
import json
import shutil
import weakref
from contextlib import contextmanager

import numpy as np
import onnx_ir
import onnxruntime_genai as og
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import ModelBuilder
from finetune_runner.data.sequences import TokenSequence
from finetune_runner.passes.contract import DATA
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.passes.rounding.blocks import k_quant, on_grid
from finetune_runner.passes.rounding.calibrated import round_decoder_layers, rounds_embedding
from finetune_runner.passes.rounding.gptq import calibration, rounded_by_gptq
from finetune_runner.passes.rounding.in_place import form_of
from finetune_runner.passes.rounding.matrix import Form, restored
from finetune_runner.passes.rounding.streams import Calibrations, RoundedRows
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
    weights, ids = embedding.weight.data.clone(), torch.tensor([[3, 5, 8], [5, 9, 3]])

    found = RoundedRows(embedding, form_of(config, 4))(ids)

    torch.testing.assert_close(found[ids], exported_head(tmp_path / "onnx")[ids])
    torch.testing.assert_close(found[10:], weights[10:], rtol=0, atol=0)


SEQUENCES = [TokenSequence(ids, [True] * len(ids)) for ids in ([3, 5, 8, 13, 21], [2, 4, 6], [7, 11, 9, 40, 41, 50])]


def test_a_product_is_calibrated_by_both_streams_of_its_tokens(product):
    _, inputs = product
    exact, rounded = inputs.reshape(4, 100, 96), (inputs + 0.1 * inputs.roll(1, 1)).reshape(4, 100, 96)
    mask = torch.arange(100) < torch.tensor([[100], [60], [30], [100]])

    found = Calibrations(mask).by(torch.cat((exact, rounded)))

    expected = calibration(exact[mask], rounded[mask])
    torch.testing.assert_close(found.shift, expected.shift)
    torch.testing.assert_close(found.factor, expected.factor)


@contextmanager
def disabled_gc():
    """Within it, only what nothing refers to any more is gone."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def calibrate(model, output, **fields):
    output.mkdir()
    config = ModelBuilder.model_validate({"algorithm": "gptq", **fields})
    round_decoder_layers(model, output, SEQUENCES, config, lambda **_: None)


def hidden_states(model, ids, mask):
    with torch.no_grad():
        return model.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state


@pytest.mark.parametrize(("name", "is_tied"), [("tiny_phi3", False), ("tiny_gemma3", True)])
def test_rows_go_through_the_model_as_it_is_and_as_it_becomes(name, is_tied, request, tmp_path, monkeypatch):
    model, states, from_config = request.getfixturevalue(name), [], AutoModelForCausalLM.from_config

    def watched(*given, **named):
        made = from_config(*given, **named)
        made.get_decoder().register_forward_hook(lambda _, _given, output: states.append(output.last_hidden_state))
        return made

    monkeypatch.setattr(AutoModelForCausalLM, "from_config", watched)
    calibrate(model, tmp_path / "gptq")

    before, after = (AutoModelForCausalLM.from_pretrained(at, dtype=torch.float32) for at in (model, tmp_path / "gptq"))
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(sequence.ids) for sequence in SEQUENCES], batch_first=True)
    mask = (ids != 0).long()
    if is_tied:
        embedding = after.get_input_embeddings()
        embedding.weight.data = RoundedRows(embedding, form_of(ModelBuilder(algorithm="gptq"), 4))(ids)
    [found] = states
    exact, rounded = (hidden_states(model, ids, mask) for model in (before, after))
    there = mask.bool()
    torch.testing.assert_close(found.chunk(2)[0][there], exact[there])
    torch.testing.assert_close(found.chunk(2)[1][there], rounded[there])
    assert (exact - rounded)[there].abs().max() > 1e-3


def test_what_a_layer_was_calibrated_by_is_gone_with_it(tiny_gemma3, tmp_path, monkeypatch):
    made, alive = Calibrations.__init__, []

    def noted(self, mask):
        made(self, mask)
        alive.append(weakref.ref(self))

    monkeypatch.setattr(Calibrations, "__init__", noted)
    gc.collect()
    with disabled_gc():
        calibrate(tiny_gemma3, tmp_path / "gptq")
        assert {reference() for reference in alive} == {None}


@pytest.mark.parametrize(
    ("fields", "is_rounded"),
    [({}, True), ({"opTypesToQuantize": ["MatMul"]}, True), ({"extraOptions": {"shared_embeddings": "false"}}, False)],
)
def test_the_rows_meet_a_rounded_embedding_only_where_the_artifact_has_one(fields, is_rounded, tiny_gemma3, tmp_path):
    fields = {"algorithm": "gptq", "calibrationData": "tones", **fields}
    export(tiny_gemma3, tmp_path / "onnx", data={DATA: data_set()}, **fields)
    config = ModelBuilder.model_validate(fields)

    nodes = {node.op_type for node in onnx_ir.load(tmp_path / "onnx" / "model.onnx").graph}
    assert ("GatherBlockQuantized" in nodes) is is_rounded
    assert rounds_embedding(config, AutoConfig.from_pretrained(tiny_gemma3)) is is_rounded


def test_a_mixture_of_experts_is_refused(tiny_phi3, tmp_path):
    model = shutil.copytree(tiny_phi3, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_local_experts": 4}))

    with pytest.raises(FineTuneError, match="no row reaches all of its experts") as caught:
        export(model, tmp_path / "onnx", algorithm="gptq", calibrationData="tones", data={DATA: data_set()})
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED


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
