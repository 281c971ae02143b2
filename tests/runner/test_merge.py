"""Merging: an adapter and its base become a model without adapter."""

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from passes import lora, merge, qlora, tune
from tiny_phi3 import make_tiny_phi3

TARGET = "model.layers.1.self_attn.o_proj"


@pytest.fixture(scope="module", params=[lora, qlora], ids=["lora", "qlora"])
def merged(request, tiny_phi3, tmp_path_factory):
    work = tmp_path_factory.mktemp("merged")
    tune(tiny_phi3, work / "adapter", request.param(r=4, alpha=12))
    merge(work / "adapter", tiny_phi3, work / "model")
    return work


def product(adapter, *, scale):
    weights = load_file(adapter / "adapter_model.safetensors")
    low = weights[f"base_model.model.{TARGET}.lora_A.weight"]
    high = weights[f"base_model.model.{TARGET}.lora_B.weight"]
    return scale * high @ low


def test_a_merged_weight_is_the_base_plus_the_scaled_product(merged, tiny_phi3):
    base = load_file(tiny_phi3 / "model.safetensors")[f"{TARGET}.weight"]

    result = load_file(merged / "model" / "model.safetensors")

    torch.testing.assert_close(result[f"{TARGET}.weight"], base + product(merged / "adapter", scale=12 / 4))


def test_the_merged_model_says_what_base_and_adapter_say_together(merged, tiny_phi3):
    ids = torch.arange(3, 40).unsqueeze(0)
    both = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_phi3), merged / "adapter")

    alone = AutoModelForCausalLM.from_pretrained(merged / "model")

    torch.testing.assert_close(alone(ids).logits, both(ids).logits, rtol=1e-4, atol=1e-4)


def test_nothing_of_the_adapter_is_left(merged, tiny_phi3):
    assert set(load_file(merged / "model" / "model.safetensors")) == set(load_file(tiny_phi3 / "model.safetensors"))


def test_tokenizer_and_prompt_travel_along(merged, tiny_phi3):
    assert (merged / "model" / "tokenizer.json").read_bytes() == (tiny_phi3 / "tokenizer.json").read_bytes()
    assert (merged / "model" / "prompt.json").read_bytes() == (merged / "adapter" / "prompt.json").read_bytes()
    assert (merged / "model" / "generation_config.json").is_file()


def test_a_bfloat16_base_stays_one_and_is_rounded_once(tmp_path):
    base = make_tiny_phi3(tmp_path / "base", dtype="bfloat16")
    tune(base, tmp_path / "adapter", lora(r=4, alpha=12))

    merge(tmp_path / "adapter", base, tmp_path / "model")

    before = load_file(base / "model.safetensors")[f"{TARGET}.weight"]
    after = load_file(tmp_path / "model" / "model.safetensors")[f"{TARGET}.weight"]
    exact = before.float() + product(tmp_path / "adapter", scale=12 / 4)
    assert after.dtype is torch.bfloat16
    torch.testing.assert_close(after, exact.bfloat16(), rtol=0, atol=0)
