"""A run whose loss stays far above its start diverges; ups and downs, and bad starts, are none."""

import json

from finetune_runner.training.divergence import Divergence

GUESS = 10.0


def seen_at(losses, guess=GUESS):
    """Steps until it is seen; None if it never is."""
    course = Divergence(guess)
    for step, loss in enumerate(losses, start=1):
        course.add(loss)
        if course.seen:
            return step
    return None


def test_a_falling_loss_is_no_divergence():
    assert seen_at([3.0 * 0.95**step for step in range(100)]) is None


def test_a_loss_that_stays_four_nats_above_its_start_is_seen_within_eight_steps():
    assert seen_at([2.0] * 20 + [8.0] * 20) in range(21, 29)


def test_a_single_hard_batch_is_not():
    assert seen_at([2.0] * 20 + [30.0] + [2.0] * 20) is None


def test_a_run_that_diverges_at_once_is_not_measured_against_itself():
    assert seen_at([6.0] + [90.0 * step for step in range(1, 40)]) == 8


def test_an_untrained_model_may_begin_anywhere():
    assert seen_at([30.0 - step for step in range(25)]) is None
    assert seen_at([40.0, *[38.0] * 30]) is None


def test_an_easy_first_batch_sets_no_standard():
    assert seen_at([0.1, *[5.0, 4.0] * 20]) is None


def test_it_goes_on_from_what_it_had_seen():
    course, later = Divergence(GUESS), Divergence(GUESS)
    for loss in [2.0] * 9 + [8.0] * 4:
        course.add(loss)
    later.restore(json.loads(json.dumps(course.state())))
    for _ in range(3):
        course.add(8.0)
        later.add(8.0)
    assert course.seen
    assert later.seen
