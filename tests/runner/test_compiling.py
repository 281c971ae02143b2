"""Compiled blocks: the same gradient at every length of batch, and a clear end where nothing can compile."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.compiling import compile_blocks
from finetune_runner.training.loss import token_losses
from passes import lora


def gradient(model, length):
    ids = torch.arange(5, 5 + 2 * length).view(2, length)
    model.zero_grad()
    token_losses(model, input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).mean().backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_gradient_is_that_of_blocks_that_are_not_compiled(tiny_phi3, checkpointing):
    model = with_adapter(AutoModelForCausalLM.from_pretrained(tiny_phi3), lora(), "spec").train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    names = [*model.state_dict()]
    expected = [gradient(model, length) for length in (9, 17, 30)]

    compile_blocks(model, "", backend="aot_eager")

    found = [gradient(model, length) for length in (9, 17, 30)]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert [*model.state_dict()] == names
    assert all(block._compiled_call_impl for block in model.get_base_model().model.layers)


def test_an_image_without_a_compiler_is_refused_with_what_to_add(tiny_phi3, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)

    with pytest.raises(FineTuneError, match="needs a C compiler") as caught:
        compile_blocks(torch.nn.Module(), "spec.passes[0].lora.training.torchCompile")

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "gcc" in caught.value.remedy
