"""finetune import: what it says of a config that can't be carried over helps the one who wrote it."""

import pytest

from finetune_cli.olive.notes import Kind
from olive_configs import MODERN, changed, imported

GPU = MODERN["systems"]


def said(config, kind=Kind.ERROR):
    return [str(note) for note in imported(config).notes if note.kind is kind]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "$: error: not an Olive config (expected an object with input_model and passes)"),
        ([], "$: error: not an Olive config (expected an object with input_model and passes)"),
        ({"kind": "FineTuneJob", "spec": {}}, "$: error: is a FineTuneJob already (finetune validate checks it)"),
        (
            {**MODERN, "passes": {}},
            "$.passes: error: no pass is named (name LoRA, MergeAdapterWeights, ModelBuilder …)",
        ),
        (
            {**MODERN, "passes": {"a": {"type": "OnnxConversion"}}},
            "$.passes: error: none of the passes is carried over (name LoRA, MergeAdapterWeights, ModelBuilder …)",
        ),
        (
            {**MODERN, "input_model": {"type": "HfModel"}},
            "$.input_model: error: no model is named (name a model by model_path)",
        ),
        (
            {**MODERN, "input_model": {"type": "HfModel", "model_path": ""}},
            "$.input_model.model_path: error: the model's place can't be told (write model_path as text)",
        ),
    ],
)
def test_why_there_is_no_manifest_is_said_once_in_olives_terms(config, message):
    assert said(config) == [message]


def test_a_chain_that_makes_no_sense_is_told_at_the_pass():
    tune = MODERN["passes"]["tune"]
    [error] = said({**MODERN, "passes": {"tune": [tune, tune]}})
    assert error.startswith("$.passes.tune[1]: error: spec.passes[1]: ")


def test_what_several_passes_miss_is_said_once():
    evaluator = {
        "metrics": [{"name": "a", "type": "accuracy", "sub_types": [{"name": "accuracy_score"}], "data_config": "rows"}]
    }
    steps = ("data_configs", 0, "pre_process_data_config")
    config = changed({**MODERN, "evaluator": evaluator}, (steps, {"text_template": "{q}", "strategy": "join"}))
    [error] = said(config)
    assert "accuracy needs an answer" in error


@pytest.mark.parametrize("path", ["${MODEL_DIR}/phi", "$HOME/phi", "%USERPROFILE%/phi", "s3://${BUCKET}/phi"])
def test_a_variable_in_a_path_is_pointed_out(path):
    notes = said(changed(MODERN, (("input_model", "model_path"), path)), Kind.NOTE)
    assert "$.input_model.model_path: note: variables are not filled in (write what stands for them)" in notes


@pytest.mark.parametrize("systems", [{}, {**GPU, "other": {"type": "LocalSystem"}}])
def test_passes_that_get_no_accelerator_because_no_host_is_named_are_pointed_out(systems):
    config = {name: value for name, value in MODERN.items() if name not in ("host", "target", "engine")}
    notes = said({**config, "systems": systems}, Kind.NOTE)
    assert any("no host is named: passes run as system 'local', which has no accelerator" in note for note in notes)
