"""The real worker over a simulated API server: what it makes of a world that is not as it expects."""

from copy import deepcopy
from datetime import timedelta

import pytest

from api_specs import wire_spec
from finetune_api.failures import Reason
from finetune_api.resource.status import WaitingStatus
from finetune_operator.conditions import timestamp
from finetune_operator.names import config_map_name, prepare_name
from finetune_operator.story import ORDER
from job_life import SETTINGS, JobLife
from operator_world import START, UID
from simulated_api import KEY, Wire

JOB_NAME = prepare_name(KEY[1], UID, 1)
MAP_NAME = config_map_name(KEY[1], UID)


def foreign(name: str) -> Wire:
    return {"metadata": {"name": name, "namespace": KEY[0], "uid": "somebody-elses"}}


def test_a_job_of_a_childs_name_that_is_not_the_jobs_is_told_and_waited_for() -> None:
    life = JobLife(wire_spec())
    life.api.put(life.api.jobs, foreign(JOB_NAME))
    life.operator.round()
    told = life.api.status.condition("Reconciling")
    assert (told.reason, JOB_NAME in told.message, life.operator.woken) == ("Taken", True, True)
    life.operator.round()
    assert not life.operator.has_work
    life.api.remove(life.api.jobs, JOB_NAME)
    life.api.later(30)
    life.live_on()
    assert life.api.status.phase == "Complete"


def test_a_job_whose_jobs_are_refused_says_since_when_it_waits_tells_it_once_and_ends_at_its_deadline() -> None:
    life = JobLife(wire_spec(activeDeadlineSeconds=100))
    life.api.no_quota = True
    life.blame(Reason.DEADLINE_EXCEEDED)
    life.round()
    life.api.later(30)
    life.round()
    status = life.api.status
    assert (status.phase, status.start_time) == ("Waiting", timestamp(START))
    assert status.waiting == WaitingStatus(reason="Refused", since=timestamp(START))
    assert status.holds("Accepted")
    assert status.runner_image == SETTINGS.runner_image
    assert sorted(ORDER[int(name.partition(".")[2][:2])] for name in life.api.events) == ["Accepted", "Refused"]
    life.live_on()
    assert life.api.now == START + timedelta(seconds=100)
    assert life.api.status.failure.reason == "DeadlineExceeded"


def test_a_job_that_is_refused_between_two_stages_goes_on_where_it_was() -> None:
    life = JobLife(wire_spec())
    while not life.store.committed:
        life.go_on()
    life.api.no_quota = True
    for _ in range(20):
        life.go_on()
    assert (life.api.status.phase, life.controllers.live_jobs) == ("Waiting", [])
    life.api.no_quota = False
    life.live_on()
    assert life.api.status.phase == "Complete"


def test_a_job_that_is_resumed_and_refused_waits_and_is_not_suspended_any_more() -> None:
    life = JobLife(wire_spec(suspend=True))
    life.round()
    assert life.api.status.phase == "Suspended"
    life.api.no_quota = True
    life.api.suspend(False)
    life.round()
    assert (life.api.status.phase, life.api.status.holds("Suspended")) == ("Waiting", False)
    life.api.suspend(True)
    life.round()
    assert (life.api.status.phase, life.api.status.waiting) == ("Suspended", None)


def test_a_config_map_of_its_name_that_is_not_the_jobs_is_told_and_not_asked_for_without_a_pause() -> None:
    life = JobLife(wire_spec())
    life.api.put(life.api.config_maps, foreign(MAP_NAME))
    life.operator.round()
    life.operator.round()
    assert not life.operator.has_work
    assert MAP_NAME in life.api.status.condition("Reconciling").message
    assert life.api.jobs == {}


@pytest.mark.parametrize("accepted", [False, True])
def test_of_a_document_that_somebody_put_into_the_jobs_config_map_nothing_is_made(accepted: bool) -> None:
    """Its owner can be forged by whoever may edit ConfigMaps, and it names a namespace."""
    life = JobLife(wire_spec())
    life.operator.round()
    planted, made = deepcopy(life.api.config_maps[MAP_NAME]), set(life.api.jobs)
    planted["data"]["job.json"] = planted["data"]["job.json"].replace(f'"namespace":"{KEY[0]}"', '"namespace":"prod"')
    if not accepted:
        life = JobLife(wire_spec())
    life.api.put(life.api.config_maps, planted)
    life.operator.round()
    life.operator.round()
    told = life.api.status.condition("Reconciling")
    assert (told.reason, MAP_NAME in told.message) == ("Taken", True)
    assert set(life.api.jobs) == (made if accepted else set())


def test_suspending_frees_what_is_held_though_a_config_map_is_in_the_way() -> None:
    life = JobLife(wire_spec())
    life.operator.round()
    life.api.remove(life.api.config_maps, MAP_NAME)
    life.api.put(life.api.config_maps, foreign(MAP_NAME))
    life.api.suspend(True)
    life.operator.round()
    assert life.controllers.live_jobs == []


def test_the_next_operator_goes_on_where_one_was_killed_at_any_of_its_calls() -> None:
    for calls in range(1, 12):
        life = JobLife(wire_spec())
        for _ in range(calls):
            life.operator.step()
        life.kill_operator()
        life.live_on()
        assert life.api.status.phase == "Complete"
