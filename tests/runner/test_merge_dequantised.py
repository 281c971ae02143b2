"""Merging into the base as a qlora adapter saw it: what was trained is what comes out."""

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.merging.as_seen import NAME, read_as_seen
from finetune_runner.passes.tune import quantization
from passes import lora, merge, qlora, tune
from random_adapter import in_shards

TARGET = "model.layers.1.self_attn.o_proj"
UNTUNED = "model.layers.1.mlp.down_proj"
KINDS = {"nf4": {}, "fp4": {"quantType": "fp4"}, "double": {"doubleQuant": True}}
IDS = torch.arange(3, 40).unsqueeze(0)


def loaded(directory, **options):
    return load_model(directory, dtype=torch.float32, device="cpu", trust_remote_code=False, **options)


@pytest.fixture(scope="module", params=KINDS)
def tuned(request, tiny_phi3, tmp_path_factory):
    """The pass's config, and a folder with its adapter."""
    work = tmp_path_factory.mktemp("tuned")
    config = qlora(r=4, alpha=12, targetModules=["o_proj"], **KINDS[request.param])
    tune(tiny_phi3, work / "adapter", config)
    return config, work


def test_it_says_what_the_adapter_said_beside_its_base_in_4_bits(tuned, tiny_phi3):
    config, work = tuned
    merge(work / "adapter", tiny_phi3, work / "model", mergeBase="dequantised")
    merge(work / "adapter", tiny_phi3, work / "original")
    quantised = loaded(tiny_phi3, quantization=quantization(config, torch.float32))
    trained = PeftModel.from_pretrained(quantised, work / "adapter")(IDS).logits

    seen = (loaded(work / "model")(IDS).logits - trained).abs().max()
    original = (loaded(work / "original")(IDS).logits - trained).abs().max()

    assert seen < 1e-4
    assert original > 0.05
    weights, base = load_file(work / "model/model.safetensors"), load_file(tiny_phi3 / "model.safetensors")
    assert not torch.equal(weights[f"{UNTUNED}.weight"], base[f"{UNTUNED}.weight"])
    torch.testing.assert_close(weights["lm_head.weight"], base["lm_head.weight"], rtol=0, atol=0)


def test_the_adapter_says_how_its_base_was_kept(tuned):
    config, work = tuned

    told = read_as_seen(work / "adapter", "spec.passes[1].mergeAdapterWeights")

    assert (told.quant_type, told.double_quant, told.dtype) == (config.quant_type, config.double_quant, "float32")
    assert {TARGET, UNTUNED} < told.names
    assert "lm_head" not in told.names


def test_a_bfloat16_base_is_rounded_from_what_it_was_trained_in(tiny_phi3, tmp_path):
    base = in_shards(tiny_phi3, tmp_path / "base", dtype="bfloat16")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).write_bytes((tiny_phi3 / name).read_bytes())
    tune(base, tmp_path / "adapter", qlora(r=4, targetModules=["o_proj"], training={"maxSteps": 1}))
    merge(tmp_path / "adapter", base, tmp_path / "model", mergeBase="dequantised")
    quantised = loaded(base, quantization=quantization(qlora(), torch.float32))
    layer = quantised.get_submodule(UNTUNED)
    expected = layer.weight.quant_state.code[codes(layer)] * scales(layer)

    merged = {n: t for f in (tmp_path / "model").glob("*.safetensors") for n, t in load_file(f).items()}

    torch.testing.assert_close(
        merged[f"{UNTUNED}.weight"], expected.reshape(layer.out_features, -1).bfloat16(), rtol=0, atol=0
    )


def codes(layer):
    """Which of the sixteen values each weight has: two in a byte, the first in its upper half."""
    packed = layer.weight.data.flatten().int()
    return torch.stack([packed >> 4, packed & 15], dim=1).flatten()


def scales(layer):
    state = layer.weight.quant_state
    return state.absmax.repeat_interleave(state.blocksize)


def test_an_adapter_that_saw_the_full_base_is_refused(tiny_phi3, tmp_path):
    tune(tiny_phi3, tmp_path / "adapter", lora(r=4, training={"maxSteps": 1}))

    with pytest.raises(FineTuneError, match=f"has no {NAME}") as caught:
        merge(tmp_path / "adapter", tiny_phi3, tmp_path / "model", mergeBase="dequantised")

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.passes[1].mergeAdapterWeights.mergeBase"
