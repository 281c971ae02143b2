"""What liveness is judged by: watches that are not begun anew though the API server answers, rounds without an end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from finetune_operator.kube import Unavailable
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.resync import resync
from finetune_operator.vitals import ROUND_SECONDS, Vitals, watch_of, watches_of
from finetune_operator.work_queue import WorkQueue

MINUTE = 60
HOUR = 3600
WATCH_SECONDS = 600


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vitals(clock: Clock) -> Vitals:
    return Vitals(["pods", "jobs"], WATCH_SECONDS, clock)


def minutes_of_answers(vitals: Vitals, clock: Clock, seconds: int) -> None:
    for _ in range(0, seconds, MINUTE):
        clock.seconds += MINUTE
        vitals.answered()


def test_a_watch_that_is_not_begun_anew_while_the_api_server_answers_is_a_trouble(vitals, clock) -> None:
    minutes_of_answers(vitals, clock, WATCH_SECONDS - MINUTE)
    vitals.begun("jobs")
    minutes_of_answers(vitals, clock, 3 * MINUTE)
    assert vitals.troubles() == ["the watch of pods was not begun anew for 660 s, though the API server answers"]


def test_watches_that_are_begun_anew_are_none(vitals, clock) -> None:
    for _ in range(30):
        for watch in ("pods", "jobs"):
            vitals.begun(watch)
        minutes_of_answers(vitals, clock, 5 * MINUTE)
    assert vitals.troubles() == []


def test_an_api_server_that_is_away_is_waited_for_however_long(vitals, clock) -> None:
    minutes_of_answers(vitals, clock, 5 * MINUTE)
    vitals.unanswered()
    clock.seconds += HOUR
    assert vitals.troubles() == []


def test_once_it_is_back_the_watches_have_their_time_to_be_begun(vitals, clock) -> None:
    minutes_of_answers(vitals, clock, 5 * MINUTE)
    vitals.unanswered()
    clock.seconds += HOUR
    minutes_of_answers(vitals, clock, WATCH_SECONDS)
    assert vitals.troubles() == []
    minutes_of_answers(vitals, clock, 2 * MINUTE)
    assert len(vitals.troubles()) == 2


def test_an_api_server_that_is_asked_seldom_says_nothing_of_the_watches_since(vitals, clock) -> None:
    vitals.answered()
    clock.seconds += HOUR
    assert vitals.troubles() == []


@pytest.mark.parametrize(("away", "late"), [((), 2), ((8,), 0)])
def test_that_it_answers_is_told_by_the_lists_of_all_jobs(vitals, clock, away: tuple[int, ...], late: int) -> None:
    """One that did not answer once in between has its time anew."""
    tries = iter(range(12))

    class Listing:
        async def list_fine_tune_jobs(self, _namespace: str | None) -> AsyncIterator[dict[str, Any]]:
            clock.seconds += MINUTE
            if next(tries) in away:
                raise Unavailable(0, "Timeout", "no answer")
            return
            yield

    with pytest.raises(RuntimeError):  # as a coroutine tells that the tries are over
        asyncio.run(resync(Listing(), WorkQueue(), Metrics(), vitals, namespaces=(), seconds=0))
    assert len(vitals.troubles()) == late


def test_a_round_that_does_not_end_is_a_trouble_and_one_that_has_ended_is_none(vitals, clock) -> None:
    with vitals.round(("team", "tone")):
        clock.seconds += ROUND_SECONDS
        assert vitals.troubles() == []
        clock.seconds += 1
        assert vitals.troubles() == ["the work on team/tone has taken 601 s"]
    assert vitals.troubles() == []


@pytest.mark.parametrize(
    ("path", "watch"),
    [
        ("/api/v1/pods", "pods"),
        ("/apis/batch/v1/namespaces/team/jobs", "namespaces/team/jobs"),
        ("/prefix/apis/finetune-operator.dev/v1alpha1/finetunejobs", "finetunejobs"),
    ],
)
def test_a_watch_goes_by_what_it_watches_and_where(path: str, watch: str) -> None:
    assert watch_of(path) == watch


def test_each_of_the_namespaces_is_watched_or_all_by_one() -> None:
    assert watches_of(["jobs", "pods"], []) == ["jobs", "pods"]
    assert watches_of(["jobs"], ["a", "b"]) == ["namespaces/a/jobs", "namespaces/b/jobs"]
