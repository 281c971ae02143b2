"""The container's last word fits its 4096 bytes, whatever happened."""

import json

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import (
    LIMIT_BYTES,
    Checkpoint,
    FailureMessage,
    GateOutcome,
    Headline,
    PassOutcome,
    Published,
    TerminationMessage,
    failure_message,
    figure_line,
    metric_values,
)
from finetune_api.resource.gates import MAX_GATES
from finetune_api.resource.status import MetricValue


def fullest(committed: bool = True) -> TerminationMessage:
    """Every part at its maximum: 32 passes, 16 gates, more figures than fit, the longest texts."""
    digest = "A" * 43 if committed else ""
    return TerminationMessage(
        kind="prepare",
        passes=[PassOutcome(index=i, key="f" * 32, digest=digest, size_bytes=10**13) for i in range(32)],
        headlines=[
            Headline(index=i, name="n" * 20, value="0.1234567890", low="0.0123456789", high="0.2345678901")
            for i in range(32)
        ],
        gates=[GateOutcome(passed=False, value="0.1234567890") for _ in range(MAX_GATES)],
        published=Published(
            index=31,
            uri="s3://" + "u" * 1000,
            digest="A" * 43,
            size_bytes=10**13,
            format="safetensors",
            verified_on="N" * 32,
        ),
        failure=FailureMessage(
            reason=Reason.DATASET_INVALID, message="ä" * 9000, remedy="ü" * 9000, path="p" * 9000, index=31
        ),
        checkpoint=Checkpoint(index=31, step=10**9),
    )


@pytest.mark.parametrize("committed", [True, False])
def test_a_message_filled_at_every_maximum_fits(committed):
    assert len(fullest(committed).encode().encode()) <= LIMIT_BYTES


def test_texts_that_json_must_escape_fit_too():
    texts = {"message": '"\\\n' * 4000, "remedy": "\x01" * 4000, "path": "\ud800" * 4000}
    message = fullest().model_copy(update={"failure": FailureMessage(reason=Reason.INTERNAL, **texts)})
    assert len(message.encode().encode()) <= LIMIT_BYTES


def test_a_full_message_keeps_digests_gates_failure_and_publication():
    decoded = TerminationMessage.decode(fullest().encode())

    assert decoded.gates == fullest().gates
    assert [p.digest for p in decoded.passes] == ["A" * 43] * 32
    assert decoded.failure is not None
    assert decoded.failure.reason is Reason.DATASET_INVALID
    assert decoded.published is not None
    assert decoded.published.digest == "A" * 43
    assert decoded.published.verified_on == "N" * 32


def test_a_full_message_of_a_pod_that_was_stopped_keeps_its_checkpoint_which_none_has_that_publishes():
    stopped = fullest().model_copy(update={"published": None})
    assert TerminationMessage.decode(stopped.encode()).checkpoint == stopped.checkpoint


def test_where_not_all_fits_the_ends_of_intervals_go_before_figures():
    headlines = fullest().headlines
    passes = [PassOutcome(index=i, key="f" * 32, digest="A" * 43, size_bytes=10**13) for i in range(32)]
    decoded = TerminationMessage.decode(TerminationMessage(kind="stage", passes=passes, headlines=headlines).encode())

    assert [line.value for line in decoded.headlines] == ["0.1234567890"] * 16
    assert {line.low for line in decoded.headlines} == {""}


def lines(count: int, text: str = "epoch 1") -> str:
    return "\n".join(f"{number:04} {text}" for number in range(count))


@pytest.mark.parametrize("text", ["epoch 1", 'it said "no"\t', "\x01", "\ud800", "ä"])
def test_a_failure_has_as_many_of_the_logs_last_lines_as_there_is_room_for(text):
    failed = FailureMessage(reason=Reason.INTERNAL, message="m", log=lines(1000, text))
    wire = TerminationMessage(kind="stage", failure=failed).encode()
    told = TerminationMessage.decode(wire).failure.log.split("\n")
    assert LIMIT_BYTES - 64 < len(wire.encode()) <= LIMIT_BYTES
    assert [line[:4] for line in told] == [f"{number:04}" for number in range(1000 - len(told), 1000)]


def test_a_log_takes_no_room_from_what_else_there_is_to_say():
    without = fullest()
    noisy = without.model_copy(update={"failure": without.failure.model_copy(update={"log": lines(1000)})})
    told, bare = (TerminationMessage.decode(message.encode()) for message in (noisy, without))
    assert told.model_copy(update={"failure": bare.failure}) == bare
    assert told.failure.message == bare.failure.message


def test_a_small_message_survives_the_journey_unchanged():
    message = TerminationMessage(
        kind="stage",
        passes=[PassOutcome(index=0, key="0123456789abcdef0123456789abcdef", digest="cd", size_bytes=3)],
        headlines=[Headline(index=0, name="accuracy", value="0.9500", low="0.9", high="0.98")],
        gates=[GateOutcome(passed=True, value="0.9500"), GateOutcome(passed=False, value="")],
    )
    assert TerminationMessage.decode(message.encode()) == message


def test_a_figure_is_told_with_its_interval_where_it_has_one():
    assert (
        figure_line(MetricValue(name="accuracy", value="0.95", low="0.91", high="0.98"))
        == "accuracy 0.95 (0.91 to 0.98)"
    )
    assert figure_line(Headline(index=0, name="size", value="7")) == "size 7"


def test_what_a_newer_runner_says_more_does_not_keep_its_word_from_being_understood():
    word = json.loads(TerminationMessage(kind="stage", checkpoint=Checkpoint(index=0, step=5)).encode())
    word["energy"] = 7
    word["checkpoint"]["loss"] = "0.5"
    assert TerminationMessage.decode(json.dumps(word)).checkpoint == Checkpoint(index=0, step=5)


def test_a_newer_runners_reason_that_is_not_known_stands_in_the_message():
    failed = FailureMessage(reason=Reason.NAN_LOSS, message="it broke")
    word = json.loads(TerminationMessage(kind="stage", failure=failed).encode())
    word["failure"]["reason"] = "Diverged"
    told = TerminationMessage.decode(json.dumps(word)).failure
    assert (told.reason, told.message) == (Reason.INTERNAL, "Diverged: it broke")


@pytest.mark.parametrize("line", [{"time": "now", "level": "info", "message": "x"}, {"kind": "Event"}, []])
def test_a_log_of_json_is_not_taken_for_a_message(line):
    with pytest.raises(ValueError, match="validation error"):
        TerminationMessage.decode(json.dumps(line))


def test_a_logs_tail_is_not_taken_for_a_message():
    with pytest.raises(ValueError, match="JSON"):
        TerminationMessage.decode("Traceback (most recent call last):")


def test_an_error_travels_with_place_and_remedy():
    error = FineTuneError(Reason.AUTH_DENIED, "denied", remedy="check the key", path="spec.store.s3")

    assert failure_message(error, 2).model_dump(by_alias=False) == {
        "reason": Reason.AUTH_DENIED,
        "message": "denied",
        "remedy": "check the key",
        "path": "spec.store.s3",
        "index": 2,
        "log": "",
    }


def test_figures_are_found_by_their_pass():
    figures = [Headline(index=0, name="loss", value="1"), Headline(index=1, name="loss", value="2")]
    assert [(m.name, m.value) for m in metric_values(figures, 1)] == [("loss", "2")]


@pytest.mark.parametrize("named", [{"name": "", "value": "1"}, {"name": "loss", "value": ""}])
def test_a_figure_without_name_or_value_does_not_get_into_a_status_which_would_be_refused(named):
    assert metric_values([Headline(index=0, **named), Headline(index=0, name="f1", value="1")], 0) == [
        MetricValue(name="f1", value="1")
    ]
