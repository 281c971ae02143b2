"""Which files of a dataset repository are a split's: by its README's configs, else by names of files and folders."""

import pytest

from finetune_runner.sources.hub_layout import LayoutError, files_of
from finetune_runner.sources.selection import matches


def readme(configs):
    return f"---\nlicense: mit\nconfigs:\n{configs}\n---\n# A data set\n---\n"


def refused(*arguments):
    with pytest.raises(LayoutError) as caught:
        files_of(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("paths", "split", "files"),
    [
        (["data/train-00000-of-00001-ab12.parquet", "data/test-00000-of-00001.parquet"], "train", [0]),
        (["data/tiny.en-00000-of-00002.parquet", "data/tiny.en-00001-of-00002.parquet"], "tiny.en", [0, 1]),
        (["data/train-00000-of-00001.parquet", "train.parquet"], "train", [0]),
        (["train.jsonl", "test.jsonl", "validation.jsonl"], "train", [0]),
        (["my_train_1.csv", "my-dev-set.csv", "latest.csv"], "validation", [1]),
        (["train1.csv", "eval.csv"], "test", [1]),
        (["train/a.json", "train/b/c.json", "test/train.json"], "train", [0, 1]),
        (["set/testing 2/a.csv", "set/training.v1/a.csv"], "test", [0]),
        (["a.csv", "constraint.csv"], "train", [0, 1]),
    ],
)
def test_names_of_files_and_folders_tell_the_split(paths, split, files):
    assert files_of(paths, "# No front matter", "", split) == [paths[index] for index in files]


@pytest.mark.parametrize(
    ("data_files", "split", "files"),
    [
        ('"*.csv"', "train", ["a.csv", "b.csv"]),
        ("[a.csv, deep/c.csv]", "train", ["a.csv", "deep/c.csv"]),
        ("{train: a.csv, odd: [b.csv]}", "odd", ["b.csv"]),
        ('[{split: train, path: "**/*.csv"}, {split: test, path: [b.csv]}]', "train", ["a.csv", "b.csv", "deep/c.csv"]),
    ],
)
def test_the_readmes_data_files_count_in_every_form(data_files, split, files):
    card = readme(f"- config_name: default\n  data_files: {data_files}")
    assert files_of(["a.csv", "b.csv", "deep/c.csv"], card, "", split) == files


def test_a_subset_may_be_a_folder_with_splits_of_its_own():
    card = readme("- {config_name: de, data_dir: ./de}\n- {config_name: en, data_dir: en/}")
    paths = ["de/train.csv", "de/test.csv", "en/train.csv", "end/train.csv"]
    assert files_of(paths, card, "en", "train") == ["en/train.csv"]
    assert files_of(paths, card, "de", "test") == ["de/test.csv"]


def test_the_subset_marked_as_default_is_taken_without_a_name():
    card = readme("- {config_name: a, data_files: a.csv}\n- {config_name: b, data_files: b.csv, default: true}")
    assert files_of(["a.csv", "b.csv"], card, "", "train") == ["b.csv"]


def test_one_of_several_subsets_must_be_named():
    card = readme("- {config_name: a, data_files: a.csv}\n- {config_name: b, data_files: b.csv}")
    error = refused(["a.csv", "b.csv"], card, "", "train")
    assert (error.field, error.remedy) == ("source.huggingFace.subset", "Set subset to one of a, b.")
    assert "'c'" in refused(["a.csv", "b.csv"], card, "c", "train").why


def test_a_subset_of_a_repository_without_any_is_refused():
    assert "declares no subsets" in refused(["a.csv"], "", "de", "train").why


def test_a_split_that_is_not_there_is_named_with_those_that_are():
    error = refused(["train.csv", "test.csv"], "", "", "validation")
    assert (error.field, error.remedy) == ("split", "The splits there are: train, test.")


@pytest.mark.parametrize("value", ["[", "2024-13-45", "0x_", "[" * 5000])
def test_a_readme_that_is_no_yaml_is_said_to_be_none(value):
    assert "no YAML" in refused(["a.csv"], f"---\na: {value}\n---\n", "", "train").why


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a.csv"]),
        ("**/*.csv", ["a.csv", "x/b.csv", "x/y/c.csv"]),
        ("x/**", ["x/b.csv", "x/y/c.csv"]),
        ("x/*", ["x/b.csv"]),
        ("?.csv", ["a.csv"]),
        ("x/[a-c].csv", ["x/b.csv"]),
    ],
)
def test_a_star_stays_within_a_folder_and_two_cross_folders(pattern, found):
    assert [name for name in ("a.csv", "x/b.csv", "x/y/c.csv") if matches(name, pattern)] == found
