import json

import pytest

from finetune_operator.kube import AlreadyExists, Conflict, Invalid, NotFound, Refused, Unavailable, error_of
from finetune_operator.settings import Settings
from finetune_operator.shell import build_settings, is_done, key_of_child
from operator_world import SETTINGS, World

LEAST = {"FINETUNE_OPERATOR_IMAGE": "operator:1", "FINETUNE_RUNNER_IMAGE": "runner:1"}


def test_a_jobs_event_leads_to_its_owner() -> None:
    world = World()
    world.round()
    (job,) = world.jobs.values()
    assert key_of_child(job) == ("team", "tone")


def test_a_pods_event_leads_to_the_owner_of_its_job_however_long_its_name() -> None:
    world = World(name="t" * 200)
    world.round()
    (job,) = world.jobs.values()
    template = job["spec"]["template"]["metadata"]
    owner = {"kind": "Job", "name": "x", "uid": "y", "controller": True}
    pod = {"metadata": {"namespace": "team", "ownerReferences": [owner], **template}}
    assert key_of_child(pod) == ("team", "t" * 200)


def test_a_pod_of_somebody_else_leads_nowhere() -> None:
    assert key_of_child({"metadata": {"namespace": "team", "labels": {}}}) is None


def test_an_ended_job_needs_no_look_until_its_spec_is_another() -> None:
    ended, running = World().completed().status.to_wire(), World().prepared().status.to_wire()
    assert is_done({"metadata": {"generation": 1}, "status": ended})
    assert not is_done({"metadata": {"generation": 2}, "status": ended})
    assert not is_done({"metadata": {"generation": 1}, "status": running})
    assert not is_done({"metadata": {"generation": 1}})


def test_kopf_writes_nothing_and_watches_only_our_children() -> None:
    shell = build_settings(SETTINGS)
    assert shell.posting.enabled is False
    assert shell.scanning.disabled is True
    assert list(shell.watching.label_selectors.values()) == ["app.kubernetes.io/managed-by=finetune-operator"] * 2


@pytest.mark.parametrize(("late", "anew"), [(600, 300), (3600, 300), (20, 10)])
def test_a_watch_that_is_well_is_begun_anew_long_before_it_counts_as_dead(late: int, anew: int) -> None:
    told = Settings.from_environment(LEAST | {"FINETUNE_WATCH_SECONDS": str(late)})
    assert build_settings(told).watching.server_timeout == anew


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (404, "NotFound", NotFound),
        (403, "Forbidden", Refused),
        (422, "Invalid", Invalid),
        (500, "InternalError", Unavailable),
        (429, "TooManyRequests", Unavailable),
    ],
)
def test_the_api_servers_no_is_told_by_kind(status: int, reason: str, kind: type) -> None:
    error = error_of(status, json.dumps({"reason": reason, "message": "because"}))
    assert type(error) is kind
    assert error.message == "because"


def test_an_answer_that_is_no_json_is_still_an_error() -> None:
    assert type(error_of(502, "<html>bad gateway</html>")) is Unavailable
