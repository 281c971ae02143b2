"""finetune import: what it says of a config that can't be carried over helps the one who wrote it."""

import io
import json
import sys

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


@pytest.mark.parametrize(
    ("fields", "reports"),
    [
        ({"r": 8, "lora_r": 8}, []),
        ({"r": 8, "lora_r": 16}, ["$.passes.tune.lora_r: not carried: $.passes.tune.r is given too, and counts"]),
        (
            {"config": {"r": 8}, "r": 16},
            ["$.passes.tune.r: not carried: $.passes.tune.config.r is given too, and counts"],
        ),
        ({"config": {"r": 8}, "r": 8}, []),
    ],
)
def test_of_a_value_given_twice_it_is_said_which_counts(fields, reports):
    tune = {name: value for name, value in MODERN["passes"]["tune"].items() if name != "r"} | fields
    found = said(changed(MODERN, (("passes", "tune"), tune)), Kind.NOT_CARRIED)
    assert found == [f"{report} (leave one of the two out)" for report in reports]


@pytest.mark.parametrize(
    "value",
    ["SEARCHABLE_VALUES", {"search_values": [4, 8]}, {"type": "Categorical", "support": [4, 8]}, [4, 8]],
)
@pytest.mark.parametrize("steps", [("r",), ("training_args", "learning_rate")])
def test_values_to_search_in_are_told_as_such(steps, value):
    [report] = said(changed(MODERN, (("passes", "tune", *steps), value)), Kind.NOT_CARRIED)
    assert report.startswith(f"$.passes.tune.{'.'.join(steps)}: not carried: ")
    assert report.endswith("(write one value, in a job for each; what the jobs have in common is made once)")


def test_a_value_that_is_refused_is_told_with_what_is_taken_instead():
    [report] = said(changed(MODERN, (("passes", "tune", "r"), "eight")), Kind.NOT_CARRIED)
    assert report.endswith("a whole number is asked for (the field's default is taken)")


def test_a_list_that_is_too_long_is_not_taken_for_values_to_search_in():
    names = [f"m{number}" for number in range(1000)]
    [report] = said(changed(MODERN, (("passes", "tune", "target_modules"), names)), Kind.NOT_CARRIED)
    assert "has too many items" in report


def test_what_no_pass_corresponds_to_is_told_at_the_pass():
    config = changed(MODERN, (("passes", "more"), {"type": "OnnxConversion", "config": {"opset": 17}}))
    [report] = said(config, Kind.NOT_CARRIED)
    assert report.startswith("$.passes.more: not carried: no pass corresponds to OnnxConversion")


@pytest.mark.parametrize(
    "name", ["fp16", "bf16", "push_to_hub", "do_eval", "use_cpu", "deepspeed", "save_on_each_node"]
)
def test_an_argument_that_is_off_says_what_is_so_in_any_case(name):
    assert said(changed(MODERN, (("passes", "tune", "training_args", name), False)), Kind.NOT_CARRIED) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--store", "/tmp"], "--store: '/tmp' is not an address such as s3://bucket/prefix"),
        (["--upload", "models"], "--upload: 'models' is not an address such as s3://bucket/prefix"),
        (["--output", "s3://models/a", "--endpoint", "s3.local"], "--endpoint: 's3.local' is not a URL such as"),
        (["--store", "s3://models/a", "--secret", "A_b"], "--secret: 'A_b' is not the name of a Kubernetes object"),
    ],
)
def test_an_option_that_is_no_place_is_named_itself(finetune, tmp_path, options, message):
    file = tmp_path / "olive.json"
    file.write_text(json.dumps(MODERN))
    ended = finetune("import", file, *options)
    assert (ended.code, message in ended.err) == (2, True), ended.err


def test_a_config_from_standard_input_has_a_name_of_its_own(finetune, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(MODERN).encode())))
    assert "name: olive\n" in finetune("import", "-").out


@pytest.mark.parametrize(
    ("files", "format_", "note"),
    [
        ("rows", "jsonl", ""),
        ("rows.jsonl", None, ""),
        ("gone", None, "the files' names tell which it is (set format: json or jsonl where they do not)"),
        ("gone.json", None, "a .json file is taken to hold an array (where a line holds an object, set format: jsonl)"),
        ("gone.txt", "jsonl", "an object a line is expected (for an array set format: json)"),
        ({"type": "azureml_datastore", "relative_path": "q/rows"}, None, "the files' names tell which it is"),
        ({"type": "azureml_datastore", "config": {"relative_path": "q/rows.json"}}, None, "taken to hold an array"),
    ],
)
def test_how_a_json_file_is_read_is_carried_over_or_said(tmp_path, files, format_, note):
    (tmp_path / "rows").write_text('{"a": 1}\n{"a": 2}\n')
    load = {"data_name": "json", "data_files": files, "split": "train"}
    found = imported(changed(MODERN, (("data_configs", 0, "load_dataset_config"), load)), tmp_path)
    assert found.manifest["spec"]["dataConfigs"][0].get("format") == format_
    steps = "$.data_configs[0].load_dataset_config.data_name"
    [*notes] = [str(each) for each in found.notes if str(each).startswith(steps)]
    assert (len(notes), note in "".join(notes)) == (1 if note else 0, True)


def spec(config):
    found = imported(config)
    assert found.manifest is not None, found.notes
    return found.manifest["spec"]


@pytest.mark.parametrize("size", [0, 0.0])
def test_no_rows_held_out_is_said_by_a_zero(size):
    config = changed(MODERN, (("passes", "tune", "eval_dataset_size"), size))
    tune = spec(config)["passes"][0]["lora"]
    assert (tune.get("evalFraction"), tune.get("evalRows"), tune["training"].get("evalStrategy")) == (None, None, None)
    assert said(config, Kind.NOT_CARRIED) == []


def test_a_share_of_rows_that_cannot_be_is_left_out_with_its_evaluation():
    config = changed(MODERN, (("passes", "tune", "eval_dataset_size"), 1.5))
    assert "evalStrategy" not in spec(config)["passes"][0]["lora"]["training"]
    assert "1.5 is too large" in said(config, Kind.NOT_CARRIED)[0]


def test_a_system_of_which_nothing_is_said_is_a_system():
    config = {**MODERN, "systems": {"gpu": {}}}
    assert (spec(config)["systems"], said(config, Kind.NOT_CARRIED)) == ([{"name": "gpu"}], [])


@pytest.mark.parametrize(
    ("given", "carried", "reported"),
    [
        ("q_proj", ["q_proj"], False),
        (["q_proj"], ["q_proj"], False),
        ("all-linear", None, False),
        (r".*self_attn\.(q|v)_proj", None, True),
    ],
)
def test_layers_are_carried_over_by_name_and_all_of_them_as_all(given, carried, reported):
    config = changed(MODERN, (("passes", "tune", "target_modules"), given))
    assert spec(config)["passes"][0]["lora"].get("targetModules") == carried
    assert bool(said(config, Kind.NOT_CARRIED)) is reported


def test_a_config_that_names_no_folders_is_told_where_outputs_go():
    notes = said(MODERN, Kind.NOTE)
    assert "$: note: no store is named: the operator must have a default one (give --store s3://bucket/prefix)" in notes
    assert "$: note: no output is named: the artifact stays in the store (give --output s3://bucket/prefix)" in notes


def test_where_options_name_the_places_nothing_is_told():
    place = {"s3": {"uri": "s3://models/a"}}
    notes = imported(MODERN, store=place, output=place).notes
    assert not [note for note in notes if " is named" in note.message]
