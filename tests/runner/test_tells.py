"""What a tuning pass tells of itself while it trains and when it has ended."""

import json
import resource
from pathlib import Path
from statistics import fmean

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.tuned_output import check_weights
from finetune_runner.training.adapter import with_adapter
from passes import ROWS, TEMPLATE, Reported, lora, tune

STEPS = 8


@pytest.fixture(scope="module")
def lengths(tiny_phi3):
    """Tokens of each row: its text, and the token that ends it."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_phi3)
    return [len(tokenizer(TEMPLATE.format(**row)).input_ids) + 1 for row in ROWS]


@pytest.fixture(scope="module")
def told(tiny_phi3, tmp_path_factory):
    """Report, result and output of a run with two micro-batches a step, logged every second step."""
    output = tmp_path_factory.mktemp("told") / "adapter"
    report = Reported()
    training = {"maxSteps": STEPS, "perDeviceTrainBatchSize": 3, "gradientAccumulationSteps": 2, "loggingSteps": 2}
    result = tune(tiny_phi3, output, lora(training=training), report=report)
    return report, result, output


def test_figures_come_with_each_line_of_the_log(told):
    report, _, _ = told
    assert len(report.telemetry) == STEPS / 2
    assert all(figures.learning_rate == 0.02 and figures.gradient_norm > 0 for figures in report.telemetry)


def test_the_parts_of_a_step_make_up_its_time(told, lengths):
    """That follows from its tokens and from tokens a second; the first step takes longest, and is no median."""
    _, result, _ = told
    parts = [float(result.metrics[f"{part}Seconds"]) for part in ("data", "forward", "backward", "optimizer")]
    assert all(seconds > 0 for seconds in parts)
    assert parts[1] > parts[0]
    assert parts[2] > parts[0]

    step_seconds = fmean(lengths) * 3 * 2 / float(result.metrics["tokensPerSecond"])
    assert 0.2 < sum(parts) / step_seconds < 1.2


def test_padding_is_what_shorter_sequences_lack_to_the_longest_of_their_batch(tiny_phi3, tmp_path, lengths):
    """Each batch holds all rows, so that all are padded to one length."""
    report = Reported()
    training = {"maxSteps": 2, "loggingSteps": 1, "perDeviceTrainBatchSize": len(ROWS)}

    result = tune(tiny_phi3, tmp_path / "adapter", lora(training=training), report=report)

    expected = 1 - fmean(lengths) / max(lengths)
    assert 0.01 < expected < 0.5
    assert report.telemetry[-1].padding == pytest.approx(expected)
    assert float(result.metrics["paddingPercent"]) == pytest.approx(100 * expected, abs=0.05)


def test_measured_memory_stands_beside_what_was_estimated(tiny_phi3, tmp_path):
    report = Reported()
    training = {"maxSteps": 2, "loggingSteps": 1}

    result = tune(tiny_phi3, tmp_path / "adapter", lora(training=training), report=report, memory_at_most=3 * 2**30)

    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    assert report.telemetry[-1].memory.host > 0.5 * resident
    assert float(result.metrics["hostMemoryGiB"]) > 0.1
    assert result.metrics["memoryAtMostGiB"] == "3.00"


def test_without_an_accelerator_there_is_neither_its_memory_nor_its_utilisation(told):
    report, result, _ = told
    assert report.telemetry[-1].memory.accelerator is None
    assert report.telemetry[-1].utilisation is None
    assert not {"peakMemoryGiB", "reservedMemoryGiB", "mfuPercent"} & result.metrics.keys()


def test_held_out_rows_are_measured_before_while_and_after(tiny_phi3, tmp_path):
    training = {"maxSteps": 5, "evalStrategy": "steps", "evalSteps": 2, "extra": {"eval_on_start": "true"}}

    result = tune(tiny_phi3, tmp_path / "adapter", lora(evalFraction=0.25, training=training))

    lines = json.loads((tmp_path / "adapter" / "training.json").read_text())["log"]
    losses = {line["step"]: line["eval_loss"] for line in lines if "eval_loss" in line}
    assert list(losses) == [0, 2, 4, 5]
    assert losses[0] > losses[4]
    assert f"{losses[5]:.4f}" == result.metrics["evalLoss"]


def test_weights_that_the_last_step_has_ruined_are_no_success(tiny_phi3):
    """There is no further loss that would tell of it."""
    model = with_adapter(AutoModelForCausalLM.from_pretrained(tiny_phi3), lora(), "spec.passes[0].lora")
    with torch.no_grad():
        next(p for p in model.parameters() if p.requires_grad)[0, 0] = float("nan")

    with pytest.raises(FineTuneError, match="the adapter's weights are not finite") as caught:
        check_weights(model, "spec.passes[0].lora")

    assert caught.value.reason is Reason.NAN_LOSS
    assert "learningRate" in caught.value.remedy


def test_what_tells_of_the_machine_is_not_part_of_the_output(told):
    _, _, output = told
    names = {"epoch", "grad_norm", "learning_rate", "loss", "step", "train_loss"}
    lines = json.loads((output / "training.json").read_text())["log"]
    assert {name for line in lines for name in line} == names
