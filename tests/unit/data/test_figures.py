"""From rows to figures, class scores and confidence intervals."""

import numpy as np
import pytest

from finetune_runner.passes.evaluation.answers import Answer
from finetune_runner.passes.evaluation.bootstrap import interval
from finetune_runner.passes.evaluation.classes import MAX_CLASSES, class_scores, classes_of, macro_f1, marks
from finetune_runner.passes.evaluation.figure import from_rows, number_of, ratio, text_of

GIVEN = [("joy", "joy"), ("joy", "joy"), ("joy", "fear"), ("fear", "fear"), ("fear", "what"), ("anger", "joy")]
ANSWERS = [Answer("p", expected, got) for expected, got in GIVEN]


def test_scores_of_classes_are_those_worked_out_by_hand():
    scores = class_scores(ANSWERS, classes_of(ANSWERS))

    assert scores == {
        "anger": {"precision": 0, "recall": 0, "f1": 0, "rows": 1},
        "fear": {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "rows": 2},
        "joy": {"precision": 2 / 3, "recall": 2 / 3, "f1": pytest.approx(2 / 3), "rows": 3},
    }


def test_macro_f1_is_the_mean_over_the_classes_that_are_expected():
    sums = marks(ANSWERS, classes_of(ANSWERS)).sum(axis=0)

    assert macro_f1(sums) == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


def test_a_class_that_is_given_but_not_expected_does_not_enter_the_mean():
    rows = marks([Answer("p", "joy", "fear"), Answer("p", "joy", "joy")], ["fear", "joy"])

    assert macro_f1(rows.sum(axis=0)) == pytest.approx(2 / 3)


def test_many_different_answers_are_no_classes():
    answers = [Answer("p", f"{number:02}", "x") for number in range(MAX_CLASSES + 1)]

    assert classes_of(answers) == []
    assert classes_of(answers[1:]) == [answer.expected for answer in answers[1:]]


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    right = np.array([[1.0, 1.0]] * 80 + [[0.0, 1.0]] * 20)  # sqrt(0.8 · 0.2 / 100) = 0.04; 1.96 of it on either side

    low, high = interval(right, ratio)

    assert low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.01)
    assert high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.01)


def test_the_same_rows_always_have_the_same_interval():
    rows = np.array([[2.0, 1], [3.0, 4], [1.0, 1]])

    assert interval(rows, ratio) == interval(rows, ratio)


def test_a_mean_a_token_weighs_rows_by_their_tokens():
    figure = from_rows(np.array([[6.0, 3.0], [1.0, 1.0]]), ratio, tokens=4)

    assert figure.value == 7 / 4
    assert figure.bounds == (1, 2)  # three draws in four have a row twice or both: the ends are the rows themselves
    assert figure.details == {"tokens": 4}


def test_the_interval_of_e_to_the_loss_is_e_to_the_losss_interval():
    rows = np.array([[6.0, 3.0], [1.0, 1.0], [2.0, 5.0]])

    low, high = interval(rows, ratio)

    assert interval(rows, lambda sums: np.exp(ratio(sums))) == pytest.approx((np.exp(low), np.exp(high)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(268435456, "268435456"), (0.95, "0.9500"), (0.0, "0.0000"), (0.00003217, "3.217e-05"), (17.5, "17.5000")],
)
def test_figures_keep_the_digits_that_tell_something(value, text):
    assert text_of(value) == text


def test_what_is_no_number_is_null_in_json():
    assert number_of(float("nan")) is None
    assert number_of(float("inf")) is None
    assert number_of(0.5) == 0.5
