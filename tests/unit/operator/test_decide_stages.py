from typing import Any

from api_specs import wire_spec
from built_jobs import container_of, mounts_of
from finetune_api import pod_layout
from finetune_api.failures import Reason
from finetune_api.messages import Headline, TerminationMessage
from finetune_api.resource.progress import Progress
from finetune_api.resource.status import PassState
from finetune_operator.observed import Reading
from operator_world import ZEROS, World, failure, labels_of, message, states

S, P, R = PassState.SUCCEEDED, PassState.PENDING, PassState.RUNNING


def test_a_job_runs_prepare_then_each_stage_then_is_complete() -> None:
    world = World().completed()
    assert [labels_of(world.jobs[name]) for name in world.created] == [
        ("prepare", "1", None),
        ("stage", "1", "0"),
        ("stage", "1", "1"),
    ]
    assert world.status.phase == "Complete"
    assert states(world) == [S, S, S]


def test_the_published_artifact_and_the_passes_outputs_stand_in_status() -> None:
    world = World().completed()
    (artifact,) = world.status.artifacts
    assert (artifact.name, artifact.uri, artifact.digest, artifact.format) == (
        "model",
        "s3://models/out",
        ZEROS,
        "onnx",
    )
    assert artifact.verified_on == "CPUExecutionProvider"
    tune = world.pass_named("tune")
    assert tune.artifact.uri == "s3://models/finetune/team/cache/" + "0" * 32
    assert [(metric.name, metric.value) for metric in tune.metrics] == [("loss", "0.5")]
    assert not tune.cache_hit
    assert tune.attempts == 1


def test_figures_that_a_later_message_has_no_room_for_stay() -> None:
    world = World().prepared()
    said = TerminationMessage.decode(message("stage", {0}, 3))
    for names in (["loss", "tokens"], ["loss"]):
        figures = [Headline(index=0, name=name, value="0.5") for name in names]
        world.end_pod(world.start_pod(world.only), 143, said.model_copy(update={"headlines": figures}).encode())
        world.round()
    assert [figure.name for figure in world.pass_named("tune").metrics] == ["loss", "tokens"]


def test_a_complete_job_shows_all_of_its_progress_and_has_stopped_reconciling() -> None:
    world = World().completed()
    assert world.status.progress.percent == 100
    assert world.status.current_pass == ""
    assert not world.status.holds("Reconciling")
    assert world.status.completion_time


def test_while_prepare_runs_no_stage_has_a_job() -> None:
    world = World().rounds(3)
    assert [child.kind for child in world.live] == ["prepare"]
    assert states(world) == [P, P, P]


def test_the_second_stage_waits_for_the_first() -> None:
    world = World().prepared()
    world.start_pod(world.only)
    world.rounds(3)
    assert [child.stage for child in world.live] == [0]
    assert world.status.current_pass == "tune"
    assert states(world) == [R, P, P]


def test_consecutive_passes_on_one_system_share_a_job() -> None:
    world = World().prepared()
    world.succeed()
    world.round()
    assert world.pass_named("merge").job_name == world.pass_named("int4").job_name == world.only.name


def test_when_everything_is_cached_no_stage_gets_a_job_and_the_job_is_complete() -> None:
    world = World(committed={0, 1, 2})
    world.round()
    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert world.stage_jobs() == []
    assert [step.cache_hit for step in world.status.passes] == [True, True, True]


def test_a_stage_whose_passes_are_all_cached_gets_no_job() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    assert [child.stage for child in world.live] == [1]
    assert world.pass_named("tune").cache_hit


def test_a_pass_committed_before_its_pod_failed_counts_while_the_job_retries() -> None:
    world = World(committed={0})
    world.round()
    world.succeed()
    world.round()
    world.committed.add(1)
    world.end_pod(world.start_pod(world.only), 51, world.report("stage"))
    world.start_pod(world.only)
    world.round()
    assert states(world) == [S, S, R]
    assert world.pass_named("int4").attempts == 2


def test_a_job_of_evaluations_only_is_complete_without_an_artifact() -> None:
    world = World(spec=wire_spec([("measure", "cpu", "evaluate")]))
    world.prepared()
    world.succeed(publishes=False)
    world.round()
    assert world.status.phase == "Complete"
    assert world.status.artifacts == []


def test_where_the_artifact_is_to_be_signed_prepare_runs_at_the_end_and_publishes() -> None:
    signing = {"keySecretRef": {"name": "signer", "key": "key.pem"}}
    world = World(spec=wire_spec(output={"s3": {"uri": "s3://models/out"}, "signing": signing})).prepared()
    world.succeed(publishes=False)
    world.round()
    world.succeed(publishes=False)
    world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    assert "it has the key to sign the artifact with" in world.status.condition("Reconciling").message

    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert len(world.status.artifacts) == 1


def test_the_key_of_a_job_with_plugins_meets_none_of_their_code() -> None:
    world = World(spec=with_a_plugin_and_a_key())
    world.round()
    assert (image_of(world), mounts_key(world)) == ("registry.test/plugins:1", False)
    for _ in range(3):
        world.succeed(publishes=False)
        world.round()
    assert (world.only.kind, image_of(world), mounts_key(world)) == ("prepare", "registry.test/operator:1", True)


def test_also_where_all_was_made_before() -> None:
    world = World(spec=with_a_plugin_and_a_key(), committed={0, 1, 2})
    world.round()
    world.succeed(publishes=False)
    world.round()
    assert (world.only.attempt, image_of(world), mounts_key(world)) == (2, "registry.test/operator:1", True)


def with_a_plugin_and_a_key() -> dict[str, Any]:
    signing = {"keySecretRef": {"name": "signer", "key": "key.pem"}}
    spec = wire_spec(output={"s3": {"uri": "s3://models/out"}, "signing": signing})
    spec["systems"] = [{"name": name, "image": "registry.test/plugins:1"} for name in ("gpu", "cpu")]
    spec["passes"][1] = {"name": "merge", "system": "cpu", "plugin": {"name": "soup"}}
    return spec


def image_of(world: World) -> str:
    """Of the pod that runs now."""
    return str(container_of(world.jobs[world.only.name])["image"])


def mounts_key(world: World) -> bool:
    return f"{pod_layout.SECRETS}/signer" in mounts_of(world.jobs[world.only.name])


def test_passes_committed_but_not_published_are_published_by_another_prepare() -> None:
    world = World().prepared()
    for _ in range(2):
        world.succeed(publishes=False)
        world.round()
    assert (world.only.kind, world.only.attempt) == ("prepare", 2)
    world.succeed()
    world.round()
    assert world.status.phase == "Complete"
    assert [step.cache_hit for step in world.status.passes] == [False, False, False]


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


def test_nothing_changes_when_nothing_happens() -> None:
    world = World().prepared()
    world.start_pod(world.only)
    world.round()
    before = world.status
    world.later(600)
    decision = world.round()
    assert decision.actions == ()
    assert world.status == before
