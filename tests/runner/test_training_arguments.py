"""Training arguments: every one of transformers' is ours, further, or refused, and those that are taken count."""

import dataclasses

import pytest
import torch
from transformers import TrainingArguments

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.training import Training
from finetune_api.training_arguments import FURTHER, REFUSED
from finetune_cli.olive.training import OFF
from finetune_runner.training.arguments import OURS, training_arguments
from passes import Reported, lora, tune

NOT_TRANSFORMERS = {
    "attn_implementation",
    "dtype",
    "early_stopping_patience",
    "extra",
    "group_by_length",
    "save_seconds",
    "warmup_ratio",
}


def test_every_argument_of_transformers_is_a_field_or_further_or_refused_and_only_one_of_them():
    typed = set(Training.model_fields) - NOT_TRANSFORMERS

    assert {field.name for field in dataclasses.fields(TrainingArguments)} == typed | set(FURTHER) | set(REFUSED)
    assert len(typed) + len(FURTHER) + len(REFUSED) == len(typed | set(FURTHER) | set(REFUSED))
    assert set(OURS) >= NOT_TRANSFORMERS


def test_what_an_import_takes_for_off_anyway_is_off_by_default():
    defaults = {field.name: field.default for field in dataclasses.fields(TrainingArguments)}
    assert [name for name in OFF.split() if defaults.get(name)] == []


def test_training_is_on_one_device_where_a_process_sees_several(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)

    arguments = training_arguments(Training(), scratch=tmp_path, device="cuda", dtype=torch.float32, path="spec")

    assert (arguments.n_gpu, arguments.train_batch_size) == (1, Training().per_device_train_batch_size)
    assert "the pod has 4 accelerators, and training uses one: set accelerator.count: 1" in caplog.text


def losses(model, output, training):
    report = Reported()
    tune(model, output, lora(training={"maxSteps": 6, **training}), report=report)
    return [step["loss"] for step in report.steps]


CHANGES = {
    "random order": {"groupByLength": False},
    "sgd": {"optim": "sgd"},
    "adafactor": {"optim": "adafactor"},
    "a share of warm-up": {"warmupRatio": 0.5, "lrSchedulerType": "linear"},
    "a schedule with arguments": {
        "lrSchedulerType": "cosine_with_min_lr",
        "extra": {"lr_scheduler_kwargs": "{min_lr: 0.001}"},
    },
    "noise on the embeddings": {"extra": {"neftune_noise_alpha": "5"}},
    "the optimizer's own": {"optim": "sgd", "extra": {"optim_args": "momentum=0.9"}},
}


@pytest.fixture(scope="module")
def usual(tiny_phi3, tmp_path_factory):
    return losses(tiny_phi3, tmp_path_factory.mktemp("usual") / "adapter", {})


@pytest.mark.parametrize("training", CHANGES.values(), ids=CHANGES)
def test_an_argument_that_is_taken_changes_training(tiny_phi3, tmp_path, training, usual):
    changed = losses(tiny_phi3, tmp_path / "adapter", training)

    assert changed != usual
    assert changed[-1] < changed[0]


def test_a_share_of_warm_up_is_that_many_steps(tiny_phi3, tmp_path):
    schedule = {"lrSchedulerType": "linear"}

    share = losses(tiny_phi3, tmp_path / "a", schedule | {"warmupRatio": 0.5})

    assert share == losses(tiny_phi3, tmp_path / "b", schedule | {"warmupSteps": 3})


def test_a_value_that_transformers_refuses_is_told_with_its_place(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", lora(training={"extra": {"logging_strategy": "sometimes"}}))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path == "spec.passes[0].lora.training"
    assert "sometimes" in caught.value.message
