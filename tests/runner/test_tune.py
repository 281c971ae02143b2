"""Tuning: a model and rows become an adapter."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.training.adapter import with_adapter
from passes import ROWS, Reported, data_set, lora, merge, qlora, tune

CONFIGS = {"lora": lora(), "qlora": qlora(doubleQuant=True), "qlora with fp4": qlora(quantType="fp4")}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_an_adapter_learns_its_rows(tiny_phi3, tmp_path, config):
    report = Reported()

    tune(tiny_phi3, tmp_path / "adapter", config, report=report)

    first, last = report.steps[0], report.steps[-1]
    assert first["loss"] > 4
    assert last["loss"] < first["loss"] / 2
    assert (last["step"], last["total_steps"]) == (12, 12)
    assert last["tokens_per_second"] > 0


@pytest.fixture(scope="module")
def adapter(tiny_phi3, tmp_path_factory):
    output = tmp_path_factory.mktemp("tuned") / "adapter"
    tune(tiny_phi3, output, lora(evalFraction=0.25, training={"evalStrategy": "steps", "evalSteps": 6}))
    return output


def test_the_output_is_an_adapter_with_all_that_travels_along(adapter):
    names = {file.name for file in adapter.iterdir()}

    assert names == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "prompt.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    }


def test_the_output_names_no_path_of_the_pod_it_was_made_in(adapter, tiny_phi3):
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    for file in adapter.glob("*.json"):
        assert str(tiny_phi3) not in file.read_text()


def test_the_prompts_template_travels_with_the_adapter(adapter):
    prompt = json.loads((adapter / "prompt.json").read_text())

    assert prompt["textTemplate"] == "### Text: {phrase}\n### The tone is:\n{tone}"
    assert prompt["maxSeqLen"] == 1024


def test_the_log_has_training_and_held_out_loss(adapter):
    log = json.loads((adapter / "training.json").read_text())["log"]

    assert [line["step"] for line in log if "loss" in line] == [4, 8, 12]
    assert [line["step"] for line in log if "eval_loss" in line] == [6, 12]


def test_two_runs_with_one_seed_write_the_same_bytes(tiny_family, tmp_path):
    for name in "ab":
        tune(tiny_family, tmp_path / name, lora(dropout=0.1, evalFraction=0.2, training={"maxSteps": 4}))

    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_another_seed_writes_another_adapter(tiny_phi3, tmp_path):
    for seed in (1, 2):
        tune(tiny_phi3, tmp_path / str(seed), lora(training={"seed": seed, "maxSteps": 1}))

    assert _bytes(tmp_path / "1")["adapter_model.safetensors"] != _bytes(tmp_path / "2")["adapter_model.safetensors"]


def test_headline_figures_fit_the_termination_message(tiny_phi3, tmp_path):
    result = tune(tiny_phi3, tmp_path / "adapter", lora(evalFraction=0.3, training={"maxSteps": 1}))

    assert list(result.metrics)[:3] == ["trainLoss", "evalLoss", "tokensPerSecond"]
    assert all(len(name) <= 20 and len(value) <= 12 for name, value in result.metrics.items())


@pytest.mark.parametrize("config", [lora, qlora], ids=["lora", "qlora"])
def test_target_modules_are_honoured(tiny_phi3, tmp_path, config):
    tune(tiny_phi3, tmp_path / "adapter", config(targetModules=["o_proj"], training={"maxSteps": 1}))

    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert len(weights) == 4
    assert all(".o_proj." in name for name in weights)


def test_all_linear_layers_but_the_head_are_the_default(tiny_phi3, tmp_path):
    tune(tiny_phi3, tmp_path / "adapter", lora(training={"maxSteps": 1}))

    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in weights} == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}


@pytest.mark.parametrize("config", [lora, qlora], ids=["lora", "qlora"])
def test_a_target_module_that_matches_nothing_is_refused_with_what_there_is(tiny_phi3, tmp_path, config):
    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", config(targetModules=["o_proj", "q_proj"]))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path.endswith(".targetModules[1]")
    assert "'q_proj'" in caught.value.message
    assert "qkv_proj, o_proj" in caught.value.remedy or "o_proj, qkv_proj" in caught.value.remedy


def test_a_module_to_save_that_matches_nothing_is_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="no module of the model is named 'classifier'"):
        tune(tiny_phi3, tmp_path / "adapter", lora(modulesToSave=["classifier"]))


def test_a_module_within_one_that_is_trained_in_full_is_trained_with_it(tiny_phi3):
    base, ids = AutoModelForCausalLM.from_pretrained(tiny_phi3), torch.arange(3, 40).unsqueeze(0)
    model = with_adapter(base, lora(modulesToSave=["down_proj", "layers.1.mlp"]), "spec")

    model(ids, labels=ids).loss.backward()

    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert "base_model.model.model.layers.1.mlp.modules_to_save.default.down_proj.weight" in gradients
    assert [name for name, gradient in gradients.items() if gradient is None] == []


def test_a_layer_in_4_bits_is_refused_to_be_trained_in_full(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="'down_proj' is kept in 4 bits") as caught:
        tune(tiny_phi3, tmp_path / "adapter", qlora(modulesToSave=["norm", "down_proj"]))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.path.endswith(".modulesToSave[1]")
    assert "lora" in caught.value.remedy


def test_a_module_trained_in_full_moves_where_the_base_is_in_bfloat16_and_is_saved_in_its_type(tiny_phi3, tmp_path):
    """A step of 0.0015 is lost on a bfloat16 of 1, whose neighbours are 0.004 and 0.008 away."""
    training = {"dtype": "bfloat16", "learningRate": 0.0015, "lrSchedulerType": "constant"}

    tune(tiny_phi3, tmp_path / "adapter", lora(modulesToSave=["model.norm"], training=training))

    trained = load_file(tmp_path / "adapter" / "adapter_model.safetensors")["base_model.model.model.norm.weight"]
    base = load_file(tiny_phi3 / "model.safetensors")["model.norm.weight"]
    assert trained.dtype == torch.bfloat16
    assert (trained.float() - base.float()).abs().mean() > 0.005


def test_a_module_to_save_is_one_whose_name_ends_in_the_whole_of_it(tiny_phi3, tmp_path):
    config = lora(modulesToSave=["norm"], targetModules=["o_proj"], training={"maxSteps": 1})

    tune(tiny_phi3, tmp_path / "adapter", config)

    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert [name for name in weights if "lora_" not in name] == ["base_model.model.model.norm.weight"]
    merge(tmp_path / "adapter", tiny_phi3, tmp_path / "model")
    merged, base = (load_file(folder / "model.safetensors") for folder in (tmp_path / "model", tiny_phi3))
    changed = {name for name in base if not torch.equal(merged[name], base[name])}
    attention = {f"model.layers.{block}.self_attn.o_proj.weight" for block in range(2)}
    assert changed - attention == {"model.norm.weight"}


def test_a_loss_that_is_no_number_ends_training_with_a_remedy(tiny_phi3, tmp_path):
    broken = shutil.copytree(tiny_phi3, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(FineTuneError) as caught:
        tune(broken, tmp_path / "adapter")

    assert caught.value.reason is Reason.NAN_LOSS
    assert "at step 1" in caught.value.message
    assert "learningRate" in caught.value.remedy
    assert caught.value.path == "spec.passes[0].lora.training"


def test_gradient_accumulation_and_checkpointing_change_nothing_but_the_cost(tiny_phi3, tmp_path):
    whole = {"maxSteps": 3, "perDeviceTrainBatchSize": 4}
    parts = {"perDeviceTrainBatchSize": 2, "gradientAccumulationSteps": 2, "gradientCheckpointing": True, "maxSteps": 3}
    losses = []
    for name, training in (("whole", whole), ("parts", parts)):
        report = Reported()
        tune(tiny_phi3, tmp_path / name, lora(training=training), report=report)
        losses.append([step["loss"] for step in report.steps])

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("config", [lora, qlora], ids=["lora", "qlora"])
def test_a_base_in_bfloat16_trains_an_adapter_in_float32(tiny_phi3, tmp_path, config):
    report = Reported()

    tune(tiny_phi3, tmp_path / "adapter", config(training={"dtype": "bfloat16"}), report=report)

    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors").values()
    assert report.steps[-1]["loss"] < report.steps[0]["loss"] / 2
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_held_out_rows_may_come_from_a_set_of_their_own(tiny_phi3, tmp_path):
    result = tune(tiny_phi3, tmp_path / "adapter", lora(evalData="tones"), held_out=data_set(ROWS[:3]))

    assert float(result.metrics["evalLoss"]) < 4


def test_rows_without_an_answer_train_on_all_of_their_text(tiny_phi3, tmp_path):
    report = Reported()
    plain = data_set(textTemplate="", textColumns=["phrase", "tone"])

    tune(tiny_phi3, tmp_path / "adapter", lora(), train=plain, report=report)

    assert report.steps[-1]["loss"] < report.steps[0]["loss"]


def test_no_rows_are_refused(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError, match="has no rows") as caught:
        tune(tiny_phi3, tmp_path / "adapter", train=data_set([]))
    assert caught.value.reason is Reason.DATASET_INVALID


def test_an_accelerator_that_is_not_there_is_named(tiny_phi3, tmp_path):
    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", accelerator=True)
    assert caught.value.reason is Reason.ACCELERATOR_UNAVAILABLE


def test_a_directory_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "no-such-model"}')

    with pytest.raises(FineTuneError) as caught:
        tune(tmp_path / "model", tmp_path / "adapter")
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED


def test_gemma_3_trains_too(tiny_gemma3, tmp_path):
    report = Reported()

    tune(tiny_gemma3, tmp_path / "adapter", report=report)

    assert report.steps[-1]["loss"] < report.steps[0]["loss"] / 2


def _bytes(directory):
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}
