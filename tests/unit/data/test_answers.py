"""Generated answers are compared with expected ones."""

import pytest

from finetune_runner.passes.evaluation.answers import (
    OTHER,
    Answer,
    confusion,
    first_lines,
    whole_answer,
    without_case,
)


def given(expected, generated):
    return first_lines(whole_answer("p", expected, generated))


@pytest.mark.parametrize("generated", ["joy", " joy", "\njoy\n### Text: more", "joy \nfear"])
def test_what_comes_after_the_answers_line_does_not_count(generated):
    assert given("joy", generated).right


def test_an_answer_of_several_lines_is_compared_whole():
    assert given("a\nb", "a\nb\nc") == Answer("p", "a\nb", "a\nb")


def test_of_a_whole_answer_what_comes_after_counts():
    assert whole_answer("p", "joy", " joy\n").right
    assert not whole_answer("p", "joy", "joy\nfear").right


def test_part_of_an_answer_is_wrong():
    assert not given("joy", "joyful").right


def test_answers_can_be_compared_without_case():
    answer = Answer("p", "Straße", "STRASSE")

    assert not answer.right
    assert without_case(answer).right


def test_confusion_counts_answers_by_class():
    answers = [
        Answer("p", "joy", "joy"),
        Answer("p", "joy", "fear"),
        Answer("p", "joy", "what"),
        Answer("p", "fear", ""),
    ]

    assert confusion(answers, ["fear", "joy"]) == {"fear": {OTHER: 1}, "joy": {OTHER: 1, "fear": 1, "joy": 1}}
