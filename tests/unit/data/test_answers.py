"""Generated answers are compared with expected ones."""

import pytest

from finetune_runner.passes.evaluation.answers import OTHER, Answer, accuracy, answer, confusion, cut


@pytest.mark.parametrize("generated", ["joy", " joy", "\njoy\n### Text: more", "joy \nfear"])
def test_what_comes_after_the_answers_line_does_not_count(generated):
    assert cut(generated) == "joy"


def test_an_answer_of_several_lines_is_compared_whole():
    assert answer("p", "a\nb", "a\nb\nc") == Answer("p", "a\nb", "a\nb")


def test_part_of_an_answer_is_wrong():
    assert not answer("p", "joy", "joyful").right(ignore_case=True)


@pytest.mark.parametrize(("ignore_case", "share"), [(True, 1.0), (False, 0.5)])
def test_accuracy_is_the_share_of_right_answers(ignore_case, share):
    answers = [Answer("p", "joy", "joy"), Answer("p", "Fear", "fear")]

    assert accuracy(answers, ignore_case=ignore_case) == share


def test_confusion_counts_answers_by_class():
    answers = [
        Answer("p", "joy", "Joy"),
        Answer("p", "joy", "fear"),
        Answer("p", "joy", "what"),
        Answer("p", "fear", ""),
    ]

    assert confusion(answers, ignore_case=True) == {"fear": {OTHER: 1}, "joy": {OTHER: 1, "fear": 1, "joy": 1}}


def test_answers_that_are_no_classes_get_no_confusion_counts():
    answers = [Answer("p", str(number), "x") for number in range(51)]

    assert confusion(answers, ignore_case=True) == {}
