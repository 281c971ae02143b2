"""The loss with logits only where labels are is the loss with all logits."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from finetune_runner.data.tokens import IGNORED
from finetune_runner.training import loss as of_training
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.loss import token_losses
from passes import loha, lora

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


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(("family", "config"), FAMILIES.values(), ids=FAMILIES)
def test_logits_made_in_parts_give_the_same_losses_and_gradients(family, config, dropout, monkeypatch):
    torch.manual_seed(0)
    model = with_adapter(family(config), lora(dropout=dropout), "spec.passes[0].lora").train()
    sizes = []
    model.get_output_embeddings().register_forward_hook(lambda _module, _inputs, logits: sizes.append(logits.numel()))
    found = []
    for at_once in (2**26, 5 * 300):
        monkeypatch.setattr(of_training, "LOGITS_AT_ONCE", at_once)
        torch.manual_seed(1)
        model.zero_grad()
        losses = token_losses(model, **batch())
        losses.mean().backward()
        found.append((losses.detach(), [p.grad for p in model.parameters() if p.grad is not None]))

    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)
    if "logits_scaling" not in config.to_dict() and "final_logit_softcapping" not in config.to_dict():
        assert max(sizes[1:]) == 5 * 300


@pytest.mark.parametrize("modules", [["lm_head"], ["lm_head", "norm"], ["norm", "embed_tokens"]], ids=str)
def test_parts_are_made_with_modules_that_are_trained_beside_a_base_in_bfloat16(modules, monkeypatch):
    torch.manual_seed(0)
    config = lora(modulesToSave=modules)
    model = with_adapter(LlamaForCausalLM(LlamaConfig(**SHAPE)).to(torch.bfloat16), config, "spec.passes[0].lora")
    model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)  # as accelerate does it
    whole = token_losses(model, **batch())
    made_in = []
    model.get_output_embeddings().register_forward_hook(lambda _module, _inputs, logits: made_in.append(logits.dtype))

    monkeypatch.setattr(of_training, "LOGITS_AT_ONCE", 5 * 300)
    parts = token_losses(model, **batch())
    parts.mean().backward()

    torch.testing.assert_close(parts, whole, atol=0.05, rtol=0.02)
    assert set(made_in) == {torch.bfloat16}
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.dtype is torch.float32 and p.grad is not None for p in trained)


@pytest.mark.parametrize("config", [lora(), lora(targetModules=["q_proj"], modulesToSave=["k_proj"]), loha()])
def test_of_a_model_that_reads_images_too_what_learns_nothing_from_text_gets_no_adapter(config):
    text = SHAPE | {"head_dim": 16, "pad_token_id": None}
    images = SHAPE | {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    whole = Gemma3Config(text_config=text, vision_config=images, mm_tokens_per_image=4, image_token_id=299)
    model = Gemma3ForConditionalGeneration(whole)

    adapted = with_adapter(model, config, "spec.passes[0].lora")
    token_losses(adapted, **batch()).mean().backward()

    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert all(".language_model." in name for name in trained)
    assert all(p.grad is not None for p in trained.values())
    assert any(".q_proj." in name for name in trained)


def test_the_model_is_left_as_it_was(tiny_phi3):
    model = AutoModelForCausalLM.from_pretrained(tiny_phi3)

    token_losses(model, **batch())

    assert model(batch()["input_ids"]).logits.shape == (3, 12, 320)
