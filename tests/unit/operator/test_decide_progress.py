"""What the running pod says of itself is shown, as long as it is its own and true."""

from finetune_api.failures import Reason
from finetune_api.messages import TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import PassState
from finetune_operator.observed import Reading
from operator_world import World, states
from runner_words import failure, message

S, P, R = PassState.SUCCEEDED, PassState.PENDING, PassState.RUNNING


def test_progress_of_the_running_pod_is_shown_and_names_the_current_pass() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    pod = world.start_pod(world.only)
    said = Progress.model_validate({"pass": "int4", "percent": 40, "step": 4, "totalSteps": 10})
    world.readings = (Reading(f"uid-of-{pod}", said),)
    world.round()
    assert world.status.progress == said
    assert world.status.current_pass == "int4"
    assert states(world) == [S, R, R]


def test_a_pass_that_its_running_pod_has_committed_has_succeeded_at_once() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    pod = world.start_pod(world.only)
    said = Progress.model_validate({"pass": "int4"})
    so_far = TerminationMessage.decode(message("stage", {0, 1}, 3))
    world.readings = (Reading(f"uid-of-{pod}", said, outcome=so_far),)
    world.rounds(2)
    assert states(world) == [S, S, R]
    assert [chapter.reason for chapter in world.chapters].count("PassSucceeded") == 1


AWAY = {"message": "spec.store.s3: it is away", "since": "2026-11-26T12:00:00Z"}


def test_an_outage_is_told_by_the_pod_that_waits_and_by_no_later_one() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate({"pass": "tune", "step": 4, "outage": AWAY})),)
    world.round()
    assert world.status.progress.to_wire()["outage"] == AWAY
    assert world.status.phase == "Running"
    world.readings = ()
    world.round()
    assert (world.status.progress.step, world.status.progress.outage) == (4, None)


def test_an_outage_before_a_stages_first_pass_is_told_of_the_pass_that_is_next() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    told = []
    for said in ({"pass": "", "outage": AWAY}, {"pass": "tune"}):
        world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate(said)),)
        world.round()
        told.append(world.status.progress.to_wire())
    assert told[0]["pass"] == told[1]["pass"] == "tune"
    assert (told[0].get("outage"), told[1].get("outage")) == (AWAY, None)


def test_a_pod_that_waits_before_its_pass_lets_stand_how_far_the_one_before_has_come() -> None:
    world = World().prepared()
    first = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{first}", Progress.model_validate({"pass": "tune", "step": 4})),)
    world.round()
    world.lose_pods(world.only)
    second = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{second}", Progress.model_validate({"pass": "", "outage": AWAY})),)
    world.round()
    assert (world.status.progress.step, world.status.progress.to_wire()["outage"]) == (4, AWAY)


def waits_in_prepare() -> World:
    world = World()
    world.round()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate({"pass": "", "outage": AWAY})),)
    world.round()
    return world


def test_an_outage_is_told_of_prepare_too_while_it_waits() -> None:
    world = waits_in_prepare()
    assert world.status.prepare.to_wire()["outage"] == AWAY
    assert (world.status.phase, world.status.progress) == ("Preparing", None)
    world.succeed()
    world.round()
    assert (world.status.prepare.state, world.status.prepare.outage) == (S, None)


def test_a_prepare_that_has_failed_waits_for_nothing() -> None:
    world = waits_in_prepare()
    world.fail_job(11, message("prepare", set(), 3, failure=failure(Reason.STORE_UNAVAILABLE)))
    world.round()
    assert (world.status.prepare.state, world.status.prepare.outage) == ("Failed", None)


def test_a_job_that_has_failed_waits_for_nothing() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate({"pass": "tune", "outage": AWAY})),)
    world.round()
    world.fail_job(17, message("stage", {0}, 3, failure=failure(Reason.EXPORT_FAILED, index=0)))
    world.round()
    assert world.status.progress.outage is None


def test_progress_about_a_pass_of_another_stage_is_not_believed() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate({"pass": "int4", "percent": 40})),)
    world.round()
    assert world.status.progress is None


def test_unreachable_progress_is_a_condition_and_not_an_outcome() -> None:
    world = World().prepared()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", None, "connection refused"),)
    world.round()
    assert world.status.holds("ProgressUnreachable")
    assert world.status.phase == "Running"
    world.succeed()
    world.round()
    assert not world.status.holds("ProgressUnreachable")
