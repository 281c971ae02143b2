"""How long what is away is waited for."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store import outages
from finetune_runner.store.patience import OUTAGE_SECONDS, patiently

AWAY = FineTuneError(Reason.STORE_UNAVAILABLE, "it is away")


class Clock:
    """Time that only passes where it is slept or worked."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.time", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.pass_)

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_an_outage_begins_at_the_first_failure_however_long_the_work_has_taken(clock):
    left = [AWAY, AWAY]

    def hours_of_upload():
        clock.pass_(2 * OUTAGE_SECONDS if len(left) == 2 else 0)
        if left:
            raise left.pop()
        return "done"

    assert patiently(hours_of_upload, lambda _: 10) == "done"


def test_no_pause_goes_beyond_the_end_of_an_outage(clock):
    def away():
        raise AWAY

    with pytest.raises(FineTuneError):
        patiently(away, lambda _: 7 * OUTAGE_SECONDS)
    assert clock.now == OUTAGE_SECONDS


def test_an_outage_is_told_while_it_lasts_in_the_words_of_its_beginning(clock):
    told = []

    def away():
        told.append(outages.current(clock.now))
        if len(told) == 4:
            return "done"
        raise FineTuneError(Reason.STORE_UNAVAILABLE, f"it is away, {len(told)}")

    assert patiently(away, lambda _: outages.TOLD_AFTER_SECONDS / 2) == "done"
    assert [found and found.message for found in told] == [None, None, "it is away, 1.", "it is away, 1."]
    assert told[2] == told[3]
    assert outages.current(clock.now) is None


def test_what_is_no_outage_is_not_waited_for(clock):
    def denied():
        raise FineTuneError(Reason.AUTH_DENIED, "no")

    with pytest.raises(FineTuneError):
        patiently(denied, lambda error: 10 if error.reason is Reason.STORE_UNAVAILABLE else None)
    assert clock.now == 0
