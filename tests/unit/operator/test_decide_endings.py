"""A job ends at its deadline or with its child, and stays ended whatever happens then."""

from dataclasses import replace

from api_specs import wire_spec
from finetune_api.failures import Reason
from finetune_api.resource.progress import Progress
from finetune_operator.observed import Reading
from operator_world import World
from runner_words import failure, message


def deleted(world: World) -> list[str]:
    return [name for name, job in world.jobs.items() if "deletionTimestamp" in job["metadata"]]


def test_the_deadline_fails_the_job_and_stops_what_runs() -> None:
    world = World(spec=wire_spec(activeDeadlineSeconds=100)).prepared()
    child = world.only
    world.start_pod(child)
    world.round()
    world.later(99)
    assert world.round().requeue_seconds == 1
    assert not world.status.terminal
    world.later(1)
    world.round()
    assert world.status.failure.reason == "DeadlineExceeded"
    assert world.status.failure.pass_ == "tune"
    assert deleted(world) == [child.name]


def test_a_child_may_run_as_long_as_the_job_still_may() -> None:
    world = World(spec=wire_spec(activeDeadlineSeconds=100))
    world.round()
    world.later(40)
    world.succeed()
    world.round()
    deadlines = [job["spec"]["activeDeadlineSeconds"] for job in world.jobs.values()]
    assert sorted(deadlines) == [60, 100]


def test_a_child_stopped_by_its_own_deadline_is_told_as_the_jobs_deadline() -> None:
    world = World(spec=wire_spec(activeDeadlineSeconds=100)).prepared()
    world.end_job(world.only, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    world.round()
    assert (world.status.failure.reason, world.status.failure.path) == (
        "DeadlineExceeded",
        "spec.activeDeadlineSeconds",
    )


def test_a_finished_job_stays_finished_whatever_happens_to_its_children() -> None:
    world = World().completed()
    before = world.status
    world.jobs.clear()
    world.pods.clear()
    world.config_map = None
    world.suspend(True)
    world.later(1e6)
    decision = world.round()
    assert decision.actions == ()
    assert decision.status == before.model_copy(update={"observed_generation": 2})


def test_a_finished_job_says_that_it_has_seen_a_newer_spec_and_nothing_else_changes() -> None:
    world = World(spec=wire_spec(suspend=True, activeDeadlineSeconds=100)).rounds(2)
    world.later(100)
    world.round()
    before = world.status
    assert (before.phase, before.observed_generation) == ("Failed", 1)
    world.suspend(False)
    world.round()
    assert world.status == before.model_copy(update={"observed_generation": 2})
    assert world.created == []


def test_a_newer_operator_with_other_defaults_leaves_a_finished_job_as_it_is() -> None:
    world = World().completed()
    before = world.status
    world.restart_with(replace(world.settings, runner_image="registry.test/runner:2"))
    world.spec = world.spec | {"engine": {"cache": False}}
    world.config_map["data"]["job.json"] = '{"written": "by a version that this one cannot read"}'
    assert world.round().actions == ()
    assert world.status == before


def test_a_live_child_of_a_failed_job_is_stopped() -> None:
    world = World().prepared()
    jobs = dict(world.jobs)
    world.fail_job(18)
    world.round()
    assert world.status.phase == "Failed"
    stage = next(name for name in jobs if "-prepare-" not in name)
    world.jobs[stage]["status"] = {}
    world.round()
    assert deleted(world) == [stage]


def test_a_job_that_is_being_deleted_is_left_alone() -> None:
    world = World().prepared()
    seen = world.observe()
    from finetune_operator.decide import decide

    decision = decide(replace(seen, deletion_time="2026-11-24T12:00:00Z"), world.settings)
    assert (decision.actions, decision.status) == ((), seen.status)


def test_a_failed_job_shows_no_progress_of_a_pass_that_did_not_fail() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    pod = world.start_pod(world.only)
    world.readings = (Reading(f"uid-of-{pod}", Progress.model_validate({"pass": "merge", "percent": 100})),)
    world.round()
    assert world.status.progress.percent == 100
    world.fail_job(17, message("stage", {0, 1}, 3, failure=failure(Reason.EXPORT_FAILED, index=2)))
    world.round()
    assert world.status.progress is None


def test_a_login_that_a_pod_quotes_is_not_repeated() -> None:
    world = World().prepared()
    world.fail_job(1, "Traceback: no answer of https://me:s3cret@proxy:3128")
    world.round()
    assert world.status.failure.log_tail == "Traceback: no answer of https://…@proxy:3128"
    other = World().prepared()
    other.fail_job(51, message("stage", set(), 3, failure=failure(Reason.STORE_UNAVAILABLE, "http://me:s3cret@s3")))
    other.round()
    assert "s3cret" not in str(other.status.to_wire())
