"""What is said about wrong data configs: where, what, and what to do."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

AT = "spec.dataConfigs[0].preprocess"
PAIR = {"inputColumn": "q", "outputColumn": "a"}


def findings(preprocess):
    spec = wire_spec()
    spec["dataConfigs"][0]["preprocess"] = preprocess
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize("preprocess", [{"pair": PAIR}, {"chat": {}}, {"textColumns": ["a"], "strategy": "packing"}])
def test_each_kind_is_right_by_itself(preprocess):
    assert [text for text in findings(preprocess) if text.startswith(AT)] == []


def test_no_kind_is_refused():
    assert findings({})[0] == (f"{AT}: none of textTemplate, textColumns, pair, chat is set (say how rows become text)")


def test_two_kinds_are_refused_by_name():
    assert f"{AT}: pair and chat are set together (keep one of them)" in findings({"pair": PAIR, "chat": {}})


@pytest.mark.parametrize("stride", [0, 1024, 2000])
def test_a_sliding_window_needs_a_stride_that_leaves_context(stride):
    found = findings({"pair": PAIR, "strategy": "join-sliding-window", "stride": stride})
    assert f"{AT}.stride: join-sliding-window needs a stride from 1 to maxSeqLen - 1, which is 1023" in found[0]


def test_a_stride_that_nothing_heeds_is_refused():
    assert (
        f"{AT}.stride: has no meaning with strategy join"
        in findings({"pair": PAIR, "strategy": "join", "stride": 8})[0]
    )


@pytest.mark.parametrize(
    ("more", "field"), [({"useAttentionMask": False}, "useAttentionMask"), ({"paddingSide": "left"}, "paddingSide")]
)
def test_packing_with_what_would_break_it_is_refused(more, field):
    assert findings({"pair": PAIR, "strategy": "packing", **more})[0].startswith(f"{AT}.{field}:")


@pytest.mark.parametrize("preprocess", [{"pair": PAIR}, {"chat": {}}])
def test_pairs_and_chats_have_answers_for_accuracy(preprocess):
    spec = wire_spec(passes=[("check", "cpu", "evaluate")])
    spec["dataConfigs"][0]["preprocess"] = preprocess
    assert not any("accuracy" in str(problem) for problem in parse(spec)[1])


def about(**fields):
    """What is said about a data config with these fields."""
    spec = wire_spec()
    spec["dataConfigs"][0] |= fields
    return [str(problem) for problem in parse(spec)[1]]


HUB = {"huggingFace": {"repo": "team/tones"}}
CONFIG = "spec.dataConfigs[0]"


def test_splits_and_subsets_are_of_the_hub():
    assert about(source=HUB, split="test") == []
    assert about(split="test") == [
        f"{CONFIG}.split: only a huggingFace source has splits, not s3"
        " (leave it out, and choose the files by source or files)"
    ]


@pytest.mark.parametrize(
    ("source", "split"), [(HUB, "test"), ({"huggingFace": {"repo": "a/b", "subset": "de"}}, "train")]
)
def test_two_ways_to_choose_files_are_refused(source, split):
    assert about(source=source, split=split, files=["*.csv"])[0].startswith(f"{CONFIG}.files: chooses files, and so do")


@pytest.mark.parametrize("source", [{"configMap": {"name": "a", "key": "b"}}, {"inline": {"text": "x"}}])
def test_globs_have_no_meaning_where_there_is_one_file(source):
    assert about(source=source, files=["*"])[0].startswith(f"{CONFIG}.files: has no meaning with ")


def test_inline_rows_are_text():
    found = about(source={"inline": {"text": "x"}}, format="parquet")
    assert found == [f"{CONFIG}.format: parquet is no text (use one of: json, jsonl, csv)"]


def test_inline_rows_of_a_job_must_fit_into_one_object():
    spec = wire_spec()
    config = spec["dataConfigs"][0] | {"source": {"inline": {"text": "x\n" * 50000}}}
    spec["dataConfigs"] = [config, config | {"name": "more"}]
    assert "spec.dataConfigs[1].source.inline.text: the job's inline rows take 300004 bytes" in str(parse(spec)[1][0])
    spec["dataConfigs"] = [config]
    assert parse(spec)[1] == []


def test_the_files_of_a_hub_source_are_said_to_have_moved():
    found = about(source={"huggingFace": {"repo": "team/tones", "files": ["*.csv"]}})
    assert found == [
        f"{CONFIG}.source.huggingFace.files: is a field of the data config itself (write it beside source)"
    ]
