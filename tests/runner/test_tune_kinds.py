"""The ways to tune beside LoRA and QLoRA: each learns, merges, and says the same merged as beside its base."""

import json

import bitsandbytes as bnb
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product
from finetune_api.resource.passes import LoftQ
from finetune_runner.passes.devices import CPU
from finetune_runner.passes.loading import load_model
from finetune_runner.passes.tune import quantization
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.loftq import start_from_residual
from passes import Reported, dora, evaluate, loftq, loha, lokr, lora, merge, qlora, tune

KINDS = {
    "dora": dora(),
    "rslora": lora(useRslora=True),
    "loftq": loftq(loftqIter=2),
    "loftq with rslora": loftq(useRslora=True, alpha=4),
    "loha": loha(rankPattern={"o_proj": 4}, alphaPattern={"o_proj": 8}),
    "lokr": lokr(decomposeBoth=True, decomposeFactor=4),
}
TARGET = "model.layers.1.self_attn.o_proj"


@pytest.fixture(scope="module", params=KINDS)
def tuned(request, tiny_phi3, tmp_path_factory):
    work, report = tmp_path_factory.mktemp("tuned"), Reported()
    tune(tiny_phi3, work / "adapter", KINDS[request.param], report=report)
    merge(work / "adapter", tiny_phi3, work / "model")
    return work, report


def test_it_learns_its_rows(tuned):
    steps = tuned[1].steps

    assert steps[-1]["loss"] < steps[0]["loss"] * 0.7


def test_merged_it_says_what_base_and_adapter_say_together(tuned, tiny_phi3):
    work, ids = tuned[0], torch.arange(3, 40).unsqueeze(0)
    base = AutoModelForCausalLM.from_pretrained(tiny_phi3)
    untuned = base(ids).logits
    both = PeftModel.from_pretrained(base, work / "adapter")(ids).logits

    alone = AutoModelForCausalLM.from_pretrained(work / "model")(ids).logits

    torch.testing.assert_close(alone, both, rtol=1e-3, atol=1e-3)
    assert (alone - untuned).abs().max() > 0.1
    assert set(load_file(work / "model/model.safetensors")) == set(load_file(tiny_phi3 / "model.safetensors"))


def test_beside_its_base_it_is_measured_as_it_is_merged(tuned, tiny_phi3):
    work = tuned[0]

    beside = evaluate(work / "adapter", work / "a", Product.ADAPTER, base=tiny_phi3).metrics["loss"]

    assert float(beside) == pytest.approx(
        float(evaluate(work / "model", work / "b", Product.MODEL).metrics["loss"]), abs=0.01
    )


def weight_error(quantised, exact, config):
    """Norm of the 4-bit layer with its fresh adapter minus the exact weight."""
    model = with_adapter(quantised, config, "spec.passes[0]")
    if isinstance(config, LoftQ):
        start_from_residual(model, exact, config.loftq_iter)
    layer = model.get_submodule(f"base_model.model.{TARGET}")
    packed = layer.get_base_layer().weight
    together = bnb.functional.dequantize_4bit(packed.data, packed.quant_state) + layer.get_delta_weight("default")
    return (together - exact.get_submodule(TARGET).weight).norm().item()


def test_loftq_starts_nearer_to_the_exact_weights_than_qlora_does_and_more_rounds_come_nearer(tiny_phi3):
    errors = []
    for config in (qlora(), loftq(), loftq(loftqIter=5)):
        options = {"dtype": torch.float32, "device": CPU, "trust_remote_code": False}
        quantised = load_model(tiny_phi3, quantization=quantization(config, torch.float32), **options)
        errors.append(weight_error(quantised, load_model(tiny_phi3, **options), config))

    assert errors[1] < errors[0] * 0.9
    assert errors[2] < errors[1]


def test_what_loftq_saves_is_what_training_changed(tiny_phi3, tmp_path):
    tune(tiny_phi3, tmp_path / "adapter", loftq(training={"maxSteps": 1, "learningRate": 1e-12}))
    weights = load_file(tmp_path / "adapter/adapter_model.safetensors")
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())

    low, high = (weights[f"base_model.model.{TARGET}.lora_{factor}.weight"] for factor in "AB")

    assert (config["r"], config["lora_alpha"]) == (16, 32)
    assert low.shape == (16, 64)
    assert low.abs().max() > 0
    torch.testing.assert_close(high @ low, torch.zeros(64, 64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [loha, lokr])
def test_chosen_blocks_and_layers_alone_get_an_adapter(kind, tiny_phi3, tmp_path):
    config = kind(layersToTransform=[1], excludeModules=["down_proj"], training={"maxSteps": 1})

    tune(tiny_phi3, tmp_path / "adapter", config)

    names = load_file(tmp_path / "adapter/adapter_model.safetensors")
    assert {name.split(".")[4] for name in names} == {"1"}
    assert {name.split(".")[6] for name in names} == {"qkv_proj", "o_proj", "gate_up_proj"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"excludeModules": ["q_proj"]}, Reason.INVALID_SPEC), ({"layersToTransform": [7]}, Reason.MODEL_UNSUPPORTED)],
)
def test_what_matches_no_layer_is_refused(fields, reason, tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", loha(**fields))

    assert caught.value.reason is reason
    assert caught.value.path.startswith("spec.passes[0].loha")


@pytest.mark.parametrize("kind", [dora, loftq, loha, lokr])
def test_two_runs_write_the_same_bytes(kind, tiny_phi3, tmp_path):
    for name in "ab":
        tune(tiny_phi3, tmp_path / name, kind(training={"maxSteps": 2}))

    first, second = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in "ab")
    assert first == second
