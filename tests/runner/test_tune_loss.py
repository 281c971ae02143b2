"""The loss with logits only where labels are is the loss with all logits."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from finetune_runner.data.tokens import IGNORED
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.loss import token_losses
from passes import lora

SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SHAPE)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SHAPE)),
    "gemma2 with a soft cap": (Gemma2ForCausalLM, Gemma2Config(**SHAPE, head_dim=16, final_logit_softcapping=3.0)),
    "granite with scaled logits": (GraniteForCausalLM, GraniteConfig(**SHAPE, logits_scaling=4.0)),
}


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 300, (3, 12), generator=generator)
    labels = ids.clone()
    labels[0, :9] = IGNORED
    labels[1, :4] = IGNORED
    labels[1, 8:] = IGNORED
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def full_loss(model, tensors):
    """transformers' own loss, from all logits."""
    return model(**tensors).loss


@pytest.mark.parametrize(("family", "config"), FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("adapted", [False, True], ids=["bare", "with adapter"])
def test_it_is_the_models_own_loss(family, config, adapted):
    torch.manual_seed(0)
    model = family(config)
    if adapted:
        model = with_adapter(model, lora(), "spec.passes[0].lora")

    losses = token_losses(model, **batch())

    assert losses.shape == (3 + 4 + 11,)
    torch.testing.assert_close(losses.mean(), full_loss(model, batch()))


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_gradients_agree_too(name, request):
    gradients = []
    for loss in (lambda m: token_losses(m, **batch()).mean(), lambda m: full_loss(m, batch())):
        model = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(name))
        loss(model).backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})

    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_model_is_left_as_it_was(tiny_phi3):
    model = AutoModelForCausalLM.from_pretrained(tiny_phi3)

    token_losses(model, **batch())

    assert model(batch()["input_ids"]).logits.shape == (3, 12, 320)
