"""LoRA+: factor B learns faster than factor A."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune_api.resource.training import Training
from finetune_runner.training.adapter import with_adapter
from finetune_runner.training.arguments import training_arguments
from finetune_runner.training.batches import PadToLongest
from finetune_runner.training.trainer import AdapterTrainer
from passes import Reported, dora, lora, tune

PATH = "spec.passes[0].lora"


@pytest.mark.parametrize("optim", ["adamw_torch", "sgd"])
def test_factor_b_has_the_ratios_learning_rate_and_factor_a_the_given_one(tiny_phi3, tmp_path, optim):
    training = Training.model_validate({"learningRate": 0.001, "optim": optim, "weightDecay": 0.1})
    arguments = training_arguments(training, scratch=tmp_path, device="cpu", dtype=torch.float32, path=PATH)
    model = with_adapter(AutoModelForCausalLM.from_pretrained(tiny_phi3), lora(), PATH)
    trainer = AdapterTrainer(
        model, arguments, train=[], held_out=[], collate=PadToLongest(0), report=Reported(), path=PATH, ratio=16
    )

    groups = trainer.create_optimizer().param_groups

    rates = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    rates_of = {name.split(".")[-3]: rates[id(p)] for name, p in model.named_parameters() if p.requires_grad}
    assert rates_of == {"lora_A": (0.001, 0.1), "lora_B": (0.016, 0.1)}


@pytest.mark.parametrize("config", [lora, dora], ids=["lora", "dora"])
def test_it_learns_faster_at_a_small_learning_rate(tiny_phi3, tmp_path, config):
    last = {}
    for ratio in (1, 16):
        report = Reported()
        given = config(loraPlusRatio=ratio, training={"learningRate": 0.001})
        tune(tiny_phi3, tmp_path / str(ratio), given, report=report)
        last[ratio] = report.steps[-1]["loss"]

    assert last[16] < last[1] - 0.1
