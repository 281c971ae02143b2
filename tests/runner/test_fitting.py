"""A pass is made to fit the memory there is before its model is loaded, and makes the same adapter as with plenty."""

import logging

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from finetune_runner.memory import host
from passes import Reported, dora, lora, tune

WEIGHTS = "adapter_model.safetensors"


def log_of(caplog):
    return [record.message for record in caplog.records if "gradient checkpointing" in record.message]


def test_with_plenty_of_memory_nothing_is_computed_twice(tiny_phi3, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        result = tune(tiny_phi3, tmp_path / "adapter", lora(training={"maxSteps": 1}))

    [line] = log_of(caplog)
    assert line.startswith("without gradient checkpointing and 4 sequences at once")
    assert result.metrics["checkpointing"] == "off"
    assert float(result.metrics["memoryEstimateGiB"]) < 0.1


@pytest.mark.parametrize("config", [lora(dropout=0.1), dora()], ids=["lora", "dora"])
def test_checkpointing_makes_the_same_adapter_byte_for_byte(tiny_phi3, tmp_path, config):
    for said in (False, True):
        training = config.training.model_copy(update={"gradient_checkpointing": said, "max_steps": 3})
        tune(tiny_phi3, tmp_path / str(said), config.model_copy(update={"training": training}))

    assert (tmp_path / "False" / WEIGHTS).read_bytes() == (tmp_path / "True" / WEIGHTS).read_bytes()


def test_with_little_memory_activations_are_computed_twice_and_micro_batches_shrink(tiny_phi3, tmp_path, monkeypatch):
    config, report = lora(training={"maxSteps": 2}), Reported()
    tune(tiny_phi3, tmp_path / "usual", config)
    monkeypatch.setattr(host, "available", lambda: 2**10)

    result = tune(tiny_phi3, tmp_path / "cramped", config, report=report)

    assert (result.metrics["checkpointing"], result.metrics["microBatch"]) == ("on", "1")
    assert report.steps[-1]["micro_batch"] == 1
    some, others = (load_file(tmp_path / name / WEIGHTS) for name in ("usual", "cramped"))
    assert_close(some, others, atol=1e-3, rtol=1e-2)
