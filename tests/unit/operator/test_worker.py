"""The real worker over a simulated API server: what it makes of a world that is not as it expects."""

from api_specs import wire_spec
from finetune_operator.names import config_map_name, prepare_name
from job_life import JobLife
from operator_world import UID
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


def test_a_config_map_of_its_name_that_is_not_the_jobs_is_told_and_not_asked_for_without_a_pause() -> None:
    life = JobLife(wire_spec())
    life.api.put(life.api.config_maps, foreign(MAP_NAME))
    life.operator.round()
    life.operator.round()
    assert not life.operator.has_work
    assert MAP_NAME in life.api.status.condition("Reconciling").message
    assert life.api.jobs == {}


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
