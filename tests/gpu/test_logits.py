"""Many logits on a device: made a part at a time they take little, and say the same."""

import gc

import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune_runner.training import loss as of_training
from finetune_runner.training.loss import token_losses

LENGTH = 1024


def peak_and_losses(model, ids):
    """Bytes that a step takes at most, and its losses."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    model.zero_grad()
    losses = token_losses(model, input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids)
    losses.mean().backward()
    return torch.cuda.max_memory_allocated() - before, losses.detach()


def test_parts_of_logits_take_less_memory_and_say_the_same(small_llama, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(small_llama, dtype=torch.float32, device_map={"": "cuda"})
    model.requires_grad_(requires_grad=False)
    model.get_input_embeddings().requires_grad_(requires_grad=True)
    ids = torch.randint(5, 300, (16, LENGTH), device="cuda")
    parts, some = peak_and_losses(model, ids)

    monkeypatch.setattr(of_training, "LOGITS_AT_ONCE", 2**40)
    whole, all_ = peak_and_losses(model, ids)

    saved = 3 * 4 * (ids.numel() * model.config.vocab_size - 2**26)
    assert whole - parts == pytest.approx(saved, rel=0.3)
    torch.testing.assert_close(some, all_, atol=1e-4, rtol=1e-4)
