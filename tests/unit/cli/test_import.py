"""finetune import: an Olive config becomes a valid manifest, and no key is lost silently."""

import json

import pytest
import yaml

from command_line import REPOSITORY
from finetune_cli.kubectl_yaml import load_documents
from olive_configs import MODERN

SEED = REPOSITORY / "examples" / "olive" / "olive-config.json"


def test_the_old_names_become_a_valid_manifest(finetune, tmp_path):
    ended = finetune("import", SEED)
    assert ended.code == 0, ended.err
    file = tmp_path / "job.yaml"
    file.write_text(ended.out)
    assert finetune("validate", file).code == 0
    [job] = load_documents(ended.out)
    tune = job["spec"]["passes"][0]["qlora"]
    assert (tune["r"], tune["alpha"], tune["doubleQuant"], tune["evalFraction"]) == (64, 64, True, 0.3)
    assert job["spec"]["dataConfigs"][0]["preprocess"]["maxSeqLen"] == 2048
    assert job["spec"]["dataConfigs"][0]["preprocess"]["loss"] == "all"
    assert job["spec"]["engine"]["target"] == {"executionProvider": "CUDAExecutionProvider"}


@pytest.mark.parametrize(
    "key", ["training_args.eval_steps", "training_args.num_train_epochs", "training_args.group_by_length"]
)
def test_values_that_make_no_sense_together_are_named(finetune, key):
    assert f"$.passes.lora.config.{key}: note:" in finetune("import", SEED).err


@pytest.mark.parametrize("requirement", ["python=3.8.13", "ort-nightly-gpu==1.18.0.dev20240307004", "git+https"])
def test_what_of_a_conda_environment_would_fail_today_is_named(finetune, requirement):
    assert (
        f"$.systems.aml.config.aml_docker_config.conda_file_path: note: {requirement}" in finetune("import", SEED).err
    )


def test_a_key_that_nobody_knows_is_reported_and_strict_refuses_it(finetune, tmp_path):
    config = json.loads(SEED.read_text())
    config["passes"]["lora"]["config"]["lora_rank"] = 7
    file = tmp_path / "olive.json"
    file.write_text(json.dumps(config))
    assert "$.passes.lora.config.lora_rank: not carried:" in finetune("import", file).err
    strict = finetune("import", file, "--strict")
    assert (strict.code, strict.out) == (1, "")


def test_flat_keys_of_today_are_read_as_nested_ones_of_old(finetune, tmp_path):
    config = {
        "input_model": {"type": "HfModel", "model_path": "microsoft/Phi-3-mini-4k-instruct"},
        "data_configs": [
            {
                "name": "d",
                "load_dataset_config": {"data_name": "org/rows"},
                "pre_process_data_config": {"text_cols": "t"},
            }
        ],
        "passes": {"l": [{"type": "DoRA", "r": 8, "train_data_config": "d"}]},
        "log_severity_level": 2,
    }
    file = tmp_path / "olive.yaml"
    file.write_text(yaml.safe_dump(config))
    ended = finetune("import", file)
    assert ended.code == 0, ended.err
    [job] = load_documents(ended.out)
    assert job["spec"]["passes"][0]["dora"]["r"] == 8
    assert job["spec"]["engine"]["logLevel"] == "warning"


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"passes": 3}', b"{", b'{"a": "\\ud800"}'])
def test_what_is_no_config_ends_with_1_and_a_sentence(finetune, tmp_path, content):
    file = tmp_path / "olive.json"
    file.write_bytes(content)
    ended = finetune("import", file)
    assert (ended.code, ended.is_bug, ended.out) == (1, False, "")


def test_strict_writes_the_manifest_of_a_config_that_is_carried_over_whole(finetune, tmp_path):
    file = tmp_path / "olive.json"
    file.write_text(json.dumps(MODERN))
    ended = finetune("import", file, "--strict")
    assert ended.code == 0
    assert load_documents(ended.out)[0]["metadata"] == {"name": "olive"}
