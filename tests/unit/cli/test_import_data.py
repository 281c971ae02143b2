"""finetune import: which rows an Olive config means, and which of them a manifest reads."""

import json

import pytest

from finetune_api.validate import parse
from olive_configs import MODERN, changed, imported, reports, spec_of

LOAD = ("data_configs", 0, "load_dataset_config")
PROCESS = ("data_configs", 0, "pre_process_data_config")
LINE = '{"question": "q", "answer": "a"}\n'
LONG = 1_000_001
"""Characters, more than are looked at of a file."""


def data(load, folder=None, **process):
    """The data config made of load_dataset_config."""
    changes = [((*PROCESS, name), value) for name, value in process.items()]
    return spec_of(changed(MODERN, (LOAD, load), *changes), folder)["dataConfigs"][0]


def test_subset_split_and_revision_of_a_data_set_on_the_hub_are_carried():
    load = {"data_name": "org/rows", "subset": "en", "split": "test.v2", "revision": "v1"}
    found = data(load)
    assert found["source"] == {"huggingFace": {"repo": "org/rows", "subset": "en", "revision": "v1"}}
    assert found["split"] == "test.v2"


def test_without_a_split_it_is_olives_validation():
    assert data({"data_name": "org/rows"})["split"] == "validation"


def test_a_splits_first_rows_are_max_samples():
    found = data({"data_name": "org/rows", "split": "train[:500]"})
    assert (found["split"], found["maxSamples"]) == ("train", 500)
    assert data({"data_name": "org/rows", "split": "train[:500]"}, max_samples=20)["maxSamples"] == 20


@pytest.mark.parametrize("split", ["train[10%:]", "train+test", "train[:10%]"])
def test_a_part_of_a_split_that_has_no_name_is_reported(split):
    found = imported(changed(MODERN, ((*LOAD, "split"), split)))
    assert found.manifest["spec"]["dataConfigs"][0]["split"] == "train"
    assert [report for report in reports(found) if "load_dataset_config.split: " in report]


def halves(train, evaluation, **more):
    """The pass, where it trains on a part of a split and evaluates on another."""
    rows = [
        {"name": name, **more.get(name, {}), "load_dataset_config": {"data_name": "org/rows", "split": split}}
        for name, split in (("rows", train), ("rest", evaluation))
    ]
    config = changed(MODERN, (("data_configs",), rows), (("passes", "tune", "eval_data_config"), "rest"))
    found = imported(config)
    return found.manifest["spec"]["passes"][0]["lora"], reports(found)


def test_a_split_parted_by_percent_to_train_and_to_evaluate_is_a_share_held_out():
    tune, reported = halves("train[:70%]", "train[70%:]")
    assert (tune["evalFraction"], "evalData" in tune, tune["training"]["evalStrategy"]) == (0.3, False, "steps")
    assert reported == []


@pytest.mark.parametrize("rest", ["train[80%:]", "test[70%:]", "train[70%:90%]"])
def test_other_parts_are_reported_since_their_rows_would_be_trained_on_too(rest):
    tune, reported = halves("train[:70%]", rest)
    assert tune["evalData"] == "rest"
    assert len(reported) == 2


def test_parts_of_rows_that_become_other_texts_are_reported():
    _, reported = halves("train[:70%]", "train[70%:]", rest={"pre_process_data_config": {"text_template": "{a}"}})
    assert len(reported) == 2


def test_a_part_that_another_pass_trains_on_without_the_rest_is_reported():
    rows = [
        {"name": name, "load_dataset_config": {"data_name": "org/rows", "split": split}}
        for name, split in (("rows", "train[:70%]"), ("rest", "train[70%:]"))
    ]
    again = {"type": "LoRA", "train_data_config": "rows"}
    config = changed(
        MODERN,
        (("data_configs",), rows),
        (("passes", "tune", "eval_data_config"), "rest"),
        (("passes", "export"), again),
    )
    found = imported(config)
    assert found.manifest["spec"]["passes"][0]["lora"]["evalFraction"] == 0.3
    assert [report for report in reports(found) if "'train[:70%]'" in report]


def test_names_in_a_bucket_with_empty_parts_are_refused():
    files = ["s3://data//x.jsonl", "s3://data/y/x.jsonl"]
    found = imported(changed(MODERN, (LOAD, {"data_name": "json", "data_files": files})))
    assert [note for note in map(str, found.notes) if "load_dataset_config.data_files: error: " in note]


def test_column_filters_are_compared_as_text():
    load = {"data_name": "org/rows", "split": "train", "col_filters": {"lang": "en", "stars": 5, "kept": True}}
    kept = [("lang", ["en"]), ("stars", ["5"]), ("kept", ["true"])]
    assert data(load)["filters"] == [{"column": column, "values": values} for column, values in kept]


def test_max_samples_counts_rows_line_by_line_and_is_reported_for_joined_sequences():
    assert data({"data_name": "org/rows", "split": "train"}, max_samples=7)["maxSamples"] == 7
    found = imported(changed(MODERN, ((*PROCESS, "max_samples"), 7), ((*PROCESS, "strategy"), "join")))
    assert "maxSamples" not in found.manifest["spec"]["dataConfigs"][0]
    assert "pre_process_data_config.max_samples" in reports(found)[0]


@pytest.mark.parametrize("loader", ["csv", "parquet", "arrow"])
def test_a_loader_is_the_format(loader):
    assert data({"data_name": loader, "data_files": "rows"})["format"] == loader


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("rows.json", LINE * 2, "jsonl"),
        ("rows.json", json.dumps([{"question": "q"}], indent=1), None),
        ("rows.json", json.dumps([{"question": "q" * LONG}]), None),
        ("rows.json", json.dumps({"question": "q" * LONG}) + "\n" + LINE, "jsonl"),
        ("rows.json", json.dumps({"question": "q"}, indent=1), None),
        ("rows.jsonl", LINE, None),
        ("rows.txt", LINE, "jsonl"),
        ("rows.txt", json.dumps([{"question": "q"}]), "json"),
    ],
)
def test_a_json_file_is_read_as_what_it_holds(tmp_path, name, content, wanted):
    (tmp_path / name).write_text(content)
    assert data({"data_name": "json", "data_files": name}, tmp_path).get("format") == wanted


def test_data_configs_of_older_versions_are_known_by_key_and_by_name():
    rows = {"rows_by_key": {**MODERN["data_configs"][0], "name": "rows_by_name"}}
    for name in ("rows_by_key", "rows_by_name"):
        found = spec_of(changed(MODERN, (("data_configs",), rows), (("passes", "tune", "train_data_config"), name)))
        assert found["passes"][0]["lora"]["trainData"] == found["dataConfigs"][0]["name"] == "rows-by-name"


def test_several_files_of_this_machine_are_chosen_by_name_in_one_claim():
    found = data({"data_name": "json", "data_files": ["rows/a.jsonl", "rows/more/b.jsonl", "rows/**/c*.jsonl"]})
    assert found["source"] == {"volume": {"claimName": "olive-files", "path": "rows"}}
    assert found["files"] == ["a.jsonl", "more/b.jsonl", "**/c*.jsonl"]


def test_a_name_that_looks_like_a_pattern_stands_for_itself(tmp_path):
    (tmp_path / "a[1].jsonl").write_text(LINE)
    assert data({"data_name": "json", "data_files": ["a[1].jsonl", "b.jsonl"]}, tmp_path)["files"][0] == "a[[]1].jsonl"


def test_objects_of_a_bucket_are_chosen_below_their_prefix():
    found = data({"data_name": "json", "data_files": ["s3://data/tone/a.jsonl", "s3://data/tone/b-*.jsonl"]})
    assert found["source"] == {"s3": {"uri": "s3://data/tone"}}
    assert found["files"] == ["a.jsonl", "b-*.jsonl"]


def test_files_of_a_data_set_on_the_hub_are_chosen_by_files():
    found = data({"data_name": "org/rows", "data_files": {"train": ["a/*.parquet"]}, "split": "train"})
    assert found["source"] == {"huggingFace": {"repo": "org/rows"}}
    assert found["files"] == ["a/*.parquet"]
    url = "https://huggingface.co/datasets/org/rows/resolve/main/data/a.jsonl"
    assert data({"data_name": "json", "data_files": url})["files"] == ["data/a.jsonl"]


def test_files_are_relative_to_data_dir():
    found = data({"data_name": "json", "data_dir": "tone", "data_files": ["a.jsonl", "more/b.jsonl"]})
    assert (found["source"]["volume"]["path"], found["files"]) == ("tone", ["a.jsonl", "more/b.jsonl"])
    assert data({"data_name": "json", "data_dir": "tone"})["source"]["volume"]["path"] == "tone"
    hub = data({"data_name": "org/rows", "data_dir": "en", "data_files": "a.jsonl", "split": "train"})
    assert hub["files"] == ["en/a.jsonl"]


def test_a_folder_of_a_data_set_on_the_hub_is_read_whole_and_its_split_reported():
    found = imported(changed(MODERN, (LOAD, {"data_name": "org/rows", "data_dir": "en", "split": "test"})))
    read = found.manifest["spec"]["dataConfigs"][0]
    assert (read["files"], "split" in read) == (["en/**"], False)
    assert [report for report in reports(found) if "load_dataset_config.split: " in report]


def test_more_files_than_a_data_config_takes_are_an_error():
    found = imported(changed(MODERN, (LOAD, {"data_name": "json", "data_files": [f"{n}.jsonl" for n in range(33)]})))
    assert found.manifest is None
    assert any("dataConfigs[0].files" in str(note) for note in found.notes)


def test_an_emptied_cache_means_that_every_pass_is_made_anew():
    assert spec_of(changed(MODERN, (("clean_cache",), True)))["engine"]["cache"] is False
    assert "cache" not in spec_of(changed(MODERN, (("cache_config",), {"clean_cache": False})))["engine"]


def test_the_best_evaluation_is_kept_and_its_measure_is_the_loss():
    arguments = {
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "early_stopping_patience": 3,
        "save_strategy": "steps",
        "save_steps": 5,
        "eval_strategy": "steps",
        "eval_steps": 5,
        "max_steps": 10,
    }
    tune = ("passes", "tune")
    config = changed(MODERN, ((*tune, "training_args"), arguments), ((*tune, "eval_dataset_size"), 0.1))
    training = spec_of(config)["passes"][0]["lora"]["training"]
    assert (training["loadBestModelAtEnd"], training["earlyStoppingPatience"], training["saveSteps"]) == (True, 3, 5)
    assert not [report for report in reports(imported(config)) if "training_args" in report]


def test_a_metric_that_olive_does_not_measure_is_reported():
    arguments = {"load_best_model_at_end": True, "metric_for_best_model": "accuracy", "eval_strategy": "epoch"}
    config = changed(MODERN, (("passes", "tune", "training_args"), arguments))
    assert any("metric_for_best_model" in report for report in reports(imported(config)))
    assert "metricForBestModel" not in spec_of(config)["passes"][0]["lora"]["training"]


@pytest.mark.parametrize(("size", "field", "value"), [(0.3, "evalFraction", 0.3), (100, "evalRows", 100)])
def test_a_share_or_a_number_of_rows_is_held_out(size, field, value):
    tune = spec_of(changed(MODERN, (("passes", "tune", "eval_dataset_size"), size)))["passes"][0]["lora"]
    assert {name: tune[name] for name in ("evalFraction", "evalRows") if name in tune} == {field: value}


def test_no_checkpoints_are_no_checkpoints():
    config = changed(MODERN, (("passes", "tune", "training_args", "save_strategy"), "no"))
    training = spec_of(config)["passes"][0]["lora"]["training"]
    assert (training["saveSteps"], training["saveSeconds"]) == (0, 0)


def test_the_config_these_tests_change_is_carried_over_whole():
    found = imported(MODERN)
    assert reports(found) == []
    assert parse(found.manifest["spec"])[1] == []
