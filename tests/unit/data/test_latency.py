"""Times of tokens become figures."""

from finetune_runner.passes.evaluation.latency import first_token_seconds, prompt_of, tokens_a_second


def test_a_prompt_of_any_length_is_made_of_the_rows_own_tokens():
    assert prompt_of([[1, 2], [3]], 2) == [1, 2]
    assert prompt_of([[1, 2], [3]], 7) == [1, 2, 3, 1, 2, 3, 1]


def test_the_pace_is_that_behind_the_first_token():
    times = [2.0, 2.5, 3.0, 3.5]

    assert first_token_seconds(times) == 2
    assert tokens_a_second(times) == 2
