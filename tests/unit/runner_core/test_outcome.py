"""What is known of a job becomes a message that fits its limits."""

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import LIMIT_BYTES, Checkpoint, TerminationMessage, metric_values
from finetune_runner.outcome import Outcome, headlines, short_value
from finetune_runner.store.manifest import manifest_of

KEY = "0" * 32


def manifest(intervals=None, **metrics):
    return manifest_of(
        files=[],
        kind="lora",
        pass_version=1,
        attempt="a",
        inputs={},
        metrics=metrics,
        libraries={},
        intervals=intervals,
    )


def test_a_long_number_is_rounded_and_not_cut():
    assert short_value("0.00001234567890123") == "1.2346e-05"
    assert short_value("0.9500") == "0.9500"
    assert len(short_value("-123456789.123456789e-200")) <= 12


def test_a_long_text_is_cut():
    assert short_value("twenty characters ok") == "twenty chara"


def test_figures_whose_names_are_the_same_after_shortening_are_told_once():
    long = "a-name-of-twenty-chars-and-more"
    lines = headlines(0, {long: "1", f"{long}-too": "2", "loss": "3"})
    assert [(line.name, line.value) for line in lines] == [(long[:20], "1"), ("loss", "3")]


def test_a_figure_travels_with_its_interval():
    outcome = Outcome(kind="stage")
    outcome.committed(0, KEY, manifest({"accuracy": ("0.90", "0.98000000000001")}, accuracy="0.95", size="7"))
    message = TerminationMessage.decode(outcome.message(None, first=frozenset()).encode())

    accuracy, size = metric_values(message.headlines, 0)
    assert (accuracy.value, accuracy.low, accuracy.high) == ("0.95", "0.90", "0.98")
    assert size.to_wire() == {"name": "size", "value": "7"}


def test_figures_of_evaluations_come_before_those_of_other_passes():
    outcome = Outcome(kind="stage")
    outcome.committed(0, KEY, manifest(loss="1"))
    outcome.committed(1, KEY, manifest(accuracy="0.9"))
    message = outcome.message(None, first=frozenset({1}))
    assert [line.name for line in message.headlines] == ["accuracy", "loss"]


def test_a_pass_with_many_figures_leaves_room_for_the_others():
    outcome = Outcome(kind="stage")
    outcome.committed(0, KEY, manifest(**{f"figure{n:02}": "1" for n in range(20)}))
    outcome.committed(1, KEY, manifest(accuracy="0.9", loss="2"))
    message = TerminationMessage.decode(outcome.message(None, first=frozenset({0, 1})).encode())
    assert [line.name for line in message.headlines][:5] == ["figure00", "accuracy", "figure01", "loss", "figure02"]
    assert len(message.headlines) == 16


def test_a_pass_that_is_committed_no_more_loses_digest_and_figures():
    outcome = Outcome(kind="stage")
    outcome.committed(0, KEY, manifest(loss="1"))
    outcome.know(0, KEY)
    message = outcome.message(None, first=frozenset())
    assert message.passes[0].digest == ""
    assert message.headlines == []


def test_a_failure_is_told_with_the_pass_that_was_running():
    outcome = Outcome(kind="stage", current=3)
    message = outcome.message(FineTuneError(Reason.NAN_LOSS, "the loss is not a number"), first=frozenset())
    assert message.failure.index == 3


def test_the_fullest_outcome_of_a_job_fits_a_termination_message():
    outcome = Outcome(kind="stage", current=31)
    for index in range(32):
        outcome.committed(
            index, "f" * 32, manifest(**{f"{n:02}-a-long-name-of-a-figure": "0.123456789" for n in range(9)})
        )
    failure = FineTuneError(Reason.INTERNAL, '"\\\n' * 4000, remedy='"' * 4000, path="\x01" * 4000)
    text = outcome.message(failure, first=frozenset()).encode()

    assert len(text.encode()) <= LIMIT_BYTES
    assert len(TerminationMessage.decode(text).passes) == 32


def test_the_last_word_says_up_to_which_step_there_is_a_checkpoint_until_the_pass_is_committed():
    outcome = Outcome(kind="stage")
    outcome.know(0, KEY)
    stopped = FineTuneError(Reason.INTERRUPTED, "the pod was asked to stop")
    assert outcome.message(stopped, first=frozenset()).checkpoint is None
    outcome.keeps(0, 40)
    outcome.keeps(0, 80)
    word = TerminationMessage.decode(outcome.message(stopped, first=frozenset()).encode())
    assert word.checkpoint == Checkpoint(index=0, step=80)
    outcome.committed(0, KEY, manifest(loss="1"))
    assert outcome.message(None, first=frozenset()).checkpoint is None
