"""4-bit layers on a CPU that multiplies bfloat16, for which bitsandbytes has a kernel that only infers."""

import bitsandbytes.nn.modules
import pytest
import torch

from finetune_runner.passes.loading import load_model
from finetune_runner.passes.tune import quantization
from passes import qlora

IDS = torch.arange(3, 40).unsqueeze(0)


@pytest.fixture
def model(tiny_phi3, monkeypatch):
    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    kept = quantization(qlora(), torch.float32)
    return load_model(tiny_phi3, dtype=torch.float32, device="cpu", trust_remote_code=False, quantization=kept)


def gradient(model):
    """Of the embeddings, with respect to the loss."""
    model.train()
    model.zero_grad()
    model(IDS, labels=IDS).loss.backward()
    return model.get_input_embeddings().weight.grad.clone()


def test_an_evaluation_in_between_changes_no_gradient(model):
    before = gradient(model)

    with torch.no_grad():
        model.eval()(IDS)

    assert torch.equal(gradient(model), before)


def test_evaluated_it_says_what_it_says_while_training(model):
    with torch.no_grad():
        trained, evaluated = model.train()(IDS).logits, model.eval()(IDS).logits

    assert torch.equal(evaluated, trained)
