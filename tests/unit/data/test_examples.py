"""Rows become prompts and completions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.chat import ChatTemplate
from finetune_runner.data.examples import Example, build_examples, distinct
from finetune_runner.data.examples import split_held_out as split_streams

PATH = "spec.dataConfigs[0].preprocess"
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
ROW = {"phrase": "What a day!", "tone": "joy"}


def split_held_out(rows, fraction, seed, count=0):
    train, held_out = split_streams(lambda: rows, fraction, seed, count=count)
    return list(train), list(held_out)


def examples(row: dict[str, object], **preprocess: object) -> Example:
    [example] = build_examples([row], Preprocess.model_validate(preprocess), PATH)
    return example


def refusal(row: dict[str, object], **preprocess: object) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        examples(row, **preprocess)
    assert caught.value.reason is Reason.DATASET_INVALID
    return caught.value


def test_the_completion_begins_at_the_last_placeholder():
    assert examples(ROW, text_template=TEMPLATE) == Example("### Text: What a day!\n### The tone is:\n", "joy")


def test_the_completion_begins_at_the_answer_column_and_takes_the_rest():
    example = examples(ROW, text_template="Tone: {tone}, as in {phrase}.", answer_column="tone")

    assert example == Example("Tone: ", "joy, as in What a day!.")


def test_a_prompt_never_holds_the_named_answer():
    example = examples(ROW, text_template="{phrase} is {tone}. {phrase}: {tone}", answer_column="tone")

    assert "joy" not in example.prompt


def test_a_template_with_one_placeholder_is_all_completion():
    assert examples(ROW, text_template="Say: {phrase}!") == Example("", "Say: What a day!!")


def test_a_template_that_repeats_its_only_column_is_all_completion():
    assert examples(ROW, text_template="{phrase}{phrase}").prompt == ""


def test_columns_without_a_template_are_joined_by_a_newline():
    assert examples(ROW, text_columns=["phrase", "tone"]) == Example("", "What a day!\njoy")


def test_doubled_braces_are_braces():
    assert examples(ROW, text_template="{{x}} {phrase} {tone}").prompt == "{x} What a day! "


def test_numbers_and_booleans_become_text():
    example = examples({"a": 3, "b": 1.5, "c": True}, text_columns=["a", "b", "c"])

    assert example.completion == "3\n1.5\ntrue"


def test_a_missing_column_is_refused_with_the_columns_there_are():
    error = refusal({"phrase": "x", "mood": "joy"}, text_template=TEMPLATE)

    assert str(error) == f"{PATH}.textTemplate: row 1: no column 'tone'. The columns there are: phrase, mood."


def test_a_null_is_refused_by_row_and_never_becomes_the_word_none():
    rows = [ROW, {"phrase": "x", "tone": None}]
    with pytest.raises(FineTuneError, match="row 2: column 'tone' is null"):
        list(build_examples(rows, Preprocess(text_template=TEMPLATE), PATH))


@pytest.mark.parametrize(("value", "kind"), [([1], "an array"), ({"a": 1}, "an object")])
def test_a_nested_value_is_refused(value, kind):
    assert kind in refusal({"phrase": value}, text_columns=["phrase"]).message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value):
    assert refusal({"phrase": value}, text_columns=["phrase"]).message == "row 1: column 'phrase' is no finite number"


def test_half_of_a_surrogate_pair_is_refused():
    half = "holds half of a surrogate pair, which is no text"
    row = {"phrase": "a", "tone": "\ud83d"}
    assert refusal(row, text_columns=["phrase", "tone"]).message == f"row 1: column 'tone' {half}"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\ud83d"}]
    assert refusal({"messages": messages}, chat={}).message == f"row 1: message 2 of column 'messages' {half}"


def test_a_conversation_that_is_nested_too_deeply_is_refused():
    deep = []
    for _ in range(9999):
        deep = [deep]
    messages = [{"role": "assistant", "content": "a", "tool_calls": deep}]
    assert refusal({"messages": messages}, chat={}).message == "row 1: column 'messages' is nested too deeply"


@pytest.mark.parametrize("template", ["{phrase.__class__} {tone}", "{phrase[0]} {tone}", "{phrase!r} {tone}"])
def test_a_template_cannot_reach_into_objects(template):
    assert refusal(ROW, text_template=template).path == f"{PATH}.textTemplate"


def test_an_answer_column_that_the_template_lacks_is_refused():
    assert "not a placeholder" in refusal(ROW, text_template=TEMPLATE, answer_column="mood").message


def test_duplicates_are_removed_and_order_is_kept():
    a, b = Example("", "a"), Example("", "b")

    assert list(distinct([b, a, b, a])) == [b, a]


ROWS = st.lists(st.builds(Example, st.text(max_size=2), st.text(max_size=2)), min_size=2, max_size=40)


@given(ROWS, st.floats(0.01, 0.99), st.integers(0, 9))
def test_training_and_held_out_examples_share_none_and_lose_none(rows, fraction, seed):
    if len(set(rows)) < 2:
        return
    train, held_out = split_held_out(rows, fraction, seed)

    assert train
    assert held_out
    assert not set(train) & set(held_out)
    assert set(train) | set(held_out) == set(rows)
    assert len(train) + len(held_out) == len(set(rows))


@given(ROWS, st.integers(0, 9))
def test_the_same_seed_splits_the_same_way(rows, seed):
    if len(set(rows)) >= 2:
        assert split_held_out(rows, 0.3, seed) == split_held_out(rows, 0.3, seed)


def test_a_fraction_of_nothing_holds_out_nothing():
    assert split_held_out([Example("", "a")], 0, 1) == ([Example("", "a")], [])


def test_a_number_of_distinct_rows_is_held_out():
    rows = [Example("", text) for text in "abcdeabcde"]
    train, held_out = split_held_out(rows, 0, 1, count=2)
    assert (len(train), len(held_out)) == (3, 2)
    assert set(train) | set(held_out) == set(rows)


def test_as_many_rows_as_there_are_cannot_be_held_out():
    with pytest.raises(ValueError, match="2 distinct rows cannot be split into training and 2 held-out rows"):
        split_held_out([Example("", "a"), Example("", "b")], 0, 1, count=2)


def test_a_single_distinct_row_cannot_be_split():
    with pytest.raises(ValueError, match="1 distinct rows"):
        split_held_out([Example("", "a")] * 9, 0.5, 1)


def test_a_template_that_asks_for_the_day_is_told_the_same_one_whenever_it_asks():
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}", bos="", eos="", path=PATH)
    assert template.render([{"role": "user", "content": "hello"}]) == "26 Jul 2024"
