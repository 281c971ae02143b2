"""How a pass computes on its device: types, attention, TF32, and the optimizer's kernels."""

import pytest
import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.training import Training
from finetune_runner.passes.devices import attention_for, dtype_for, float32_products
from finetune_runner.training.arguments import training_arguments
from passes import Reported, lora, tune


def test_a_cpu_computes_in_float32_unless_told_otherwise():
    assert dtype_for("auto", "cpu") is torch.float32
    assert dtype_for("bfloat16", "cpu") is torch.bfloat16


def test_flash_attention_that_is_not_installed_is_refused_with_what_to_use():
    with pytest.raises(FineTuneError, match="needs the package flash-attn") as caught:
        attention_for("flash_attention_2", "spec.passes[0].lora.training.attnImplementation")

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "sdpa" in caught.value.remedy


@pytest.mark.parametrize("name", ["sdpa", "eager"])
def test_attention_is_computed_in_the_way_asked_for_and_comes_to_the_same(tiny_phi3, tmp_path, name):
    usual, chosen = Reported(), Reported()
    tune(tiny_phi3, tmp_path / "usual", lora(training={"maxSteps": 2}), report=usual)

    tune(tiny_phi3, tmp_path / "chosen", lora(training={"maxSteps": 2, "attnImplementation": name}), report=chosen)

    assert [step["loss"] for step in chosen.steps] == pytest.approx([step["loss"] for step in usual.steps], rel=1e-4)


def test_tf32_on_a_device_without_it_is_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="TF32 needs an NVIDIA GPU") as caught:
        tune(tiny_phi3, tmp_path / "adapter", lora(training={"extra": {"tf32": "true"}}))

    assert caught.value.path == "spec.passes[0].lora.training.extra[tf32]"


def test_the_precision_of_products_is_afterwards_what_it_was():
    products = torch.backends.cuda.matmul
    before = products.fp32_precision

    with float32_products(None, "cpu", ""):
        assert products.fp32_precision == "ieee"

    assert products.fp32_precision == before


@pytest.mark.parametrize(("device", "optimizer"), [("cpu", "adamw_torch"), ("cuda", "adamw_torch_fused")])
def test_adamw_is_the_fused_one_on_an_accelerator(tmp_path, device, optimizer):
    made = training_arguments(Training(), scratch=tmp_path, device=device, dtype=torch.float32, path="")

    assert made.optim == optimizer
