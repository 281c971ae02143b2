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
