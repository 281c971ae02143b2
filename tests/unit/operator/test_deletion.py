"""artifactDeletion: WithJob keeps a deleted job until its artifact is removed, for a while; without it nothing does."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from api_specs import wire_spec
from finetune_api.failures import Reason
from finetune_api.messages import DeletionDocument
from finetune_operator.decision import SetFinalizers
from finetune_operator.labels import DELETION, FINALIZER
from job_life import JobLife
from operator_world import SETTINGS, World
from runner_words import failure, message
from simulated_controllers import FOREGROUND

WITH_JOB = {"artifactDeletion": "WithJob", "output": {"s3": {"uri": "s3://models/out"}}}
LONGEST = 60 + 300
"""Seconds: its pods' grace, and what the removal may take."""


def kept_world() -> World:
    """A finished job that is kept until its artifact is removed."""
    world = World(spec=wire_spec(**WITH_JOB))
    world.round()
    return world.completed()


def deletion_job(world: World) -> dict:
    (job,) = [job for name, job in world.jobs.items() if "-delete-" in name]
    return job


def end_deletion(world: World, exit_code: int, text: str = "", job_reason: str = "") -> None:
    child = world.observe().deletion
    world.end_pod(world.start_pod(child), exit_code, text)
    world.end_job(child, "Failed" if exit_code else "Complete", job_reason)


def told(world: World) -> list[tuple[str, str]]:
    return [(c.reason, c.note) for c in world.chapters if "Artifact" in c.reason]


def test_the_finalizer_is_there_before_anything_is_made_and_beside_those_of_others() -> None:
    world = World(spec=wire_spec(**WITH_JOB), finalizers=("somebody/else",))
    assert world.round().actions == (SetFinalizers(("somebody/else", FINALIZER)),)
    world.round()
    assert len(world.created) == 1


def test_without_it_no_finalizer_is_ever_set_and_a_deletion_is_left_to_the_cluster() -> None:
    world = World().completed()
    assert world.finalizers == ()
    world.delete()
    assert world.decide().actions == ()


def test_what_works_on_the_job_ends_before_its_artifact_is_removed() -> None:
    world = World(spec=wire_spec(**WITH_JOB))
    world.round()
    world.prepared()
    stage = world.only
    world.start_pod(stage)
    world.delete()
    world.rounds(2)
    assert "deletionTimestamp" in world.jobs[stage.name]["metadata"]
    assert world.observe().deletion is None
    world.finish_deletions()
    world.round()
    assert world.observe().deletion


def test_the_job_that_removes_it_carries_what_it_needs_and_nobody_owns_it() -> None:
    world = kept_world()
    world.delete(FOREGROUND)
    world.config_map = None
    world.round()
    job = deletion_job(world)
    pod = job["spec"]["template"]
    document = DeletionDocument.model_validate_json(pod["metadata"]["annotations"][DELETION])
    assert (document.name, document.output.s3.uri) == ("tone", "s3://models/out")
    assert "ownerReferences" not in job["metadata"]
    assert pod["spec"]["containers"][0]["image"] == SETTINGS.operator_image
    assert {volume["name"] for volume in pod["spec"]["volumes"]} == {"deletion", "work"}


def test_it_gets_the_secrets_of_store_and_output_by_name_and_no_others() -> None:
    def place(uri: str, secret: str) -> dict:
        return {"s3": {"uri": uri, "credentialsSecretRef": {"name": secret}}}

    parts = {"store": place("s3://models/store", "store-keys"), "output": place("s3://models/out", "output-keys")}
    spec = wire_spec(**WITH_JOB | parts)
    spec["inputModel"]["source"]["huggingFace"]["tokenSecretRef"] = {"name": "hub", "key": "token"}
    world = World(spec=spec, finalizers=(FINALIZER,)).completed()
    world.delete()
    world.round()
    volumes = deletion_job(world)["spec"]["template"]["spec"]["volumes"]
    secrets = [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
    assert secrets == ["output-keys", "store-keys"]


def test_once_it_is_removed_the_job_goes() -> None:
    world = kept_world()
    world.delete(FOREGROUND)
    world.round()
    end_deletion(world, 0, message("delete", set(), 3))
    world.round()
    assert world.finalizers == (FOREGROUND,)
    assert told(world)[-1] == (
        "ArtifactDeleted",
        "removed with the job: the artifact at s3://models/out and what s3://models/finetune keeps of this job alone",
    )


def test_where_it_cannot_be_removed_the_job_goes_and_the_rest_is_told() -> None:
    world = kept_world()
    world.delete()
    world.round()
    end_deletion(world, 12, message("delete", set(), 3, failure=failure(Reason.AUTH_DENIED, "the secret is gone")))
    world.round()
    reason, note = told(world)[-1]
    assert (world.finalizers, reason) == ((), "ArtifactLeft")
    assert "s3://models/out" in note
    assert note.endswith("AuthDenied: the secret is gone")


@pytest.mark.parametrize("stuck", [lambda world: world.round(), lambda world: world.start_pod(world.only)])
def test_after_a_time_the_job_goes_in_any_case(stuck: Callable[[World], object]) -> None:
    world = World(spec=wire_spec(**WITH_JOB), finalizers=(FINALIZER,)).prepared()
    world.delete()
    stuck(world)
    world.later(LONGEST - 1)
    decision = world.round()
    assert (world.finalizers, decision.requeue_seconds) == ((FINALIZER,), 1)
    world.later(1)
    world.round()
    assert world.finalizers == ()
    assert told(world)[-1][0] == "ArtifactLeft"


def test_a_removal_that_nobody_was_there_to_begin_is_tried_once_all_the_same() -> None:
    world = kept_world()
    world.delete()
    world.later(10 * LONGEST)
    world.round()
    assert deletion_job(world)["spec"]["activeDeadlineSeconds"] == 300
    world.later(299)
    world.round()
    assert world.finalizers == (FINALIZER,)
    world.later(1)
    world.round()
    assert (world.finalizers, told(world)[-1][0]) == ((), "ArtifactLeft")


def test_a_removal_that_begins_when_pods_have_taken_their_time_ends_no_later_than_the_job_goes() -> None:
    world = World(spec=wire_spec(**WITH_JOB), finalizers=(FINALIZER,)).completed()
    world.delete()
    world.later(100)
    world.round()
    assert deletion_job(world)["spec"]["activeDeadlineSeconds"] == LONGEST - 100


def test_a_status_that_cannot_be_read_in_part_keeps_no_deleted_job() -> None:
    world = kept_world()
    world.store(world.stored | {"passes": [{"name": "tune", "state": "Paused"}]})
    world.delete()
    world.rounds(2)
    end_deletion(world, 0)
    world.round()
    assert world.finalizers == ()


def test_what_may_be_deleted_with_the_job_does_not_hold_its_removal_up() -> None:
    key = {"name": "aws", "key": "secret"}
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": key}}, {"name": "PLAIN", "value": "1"}]
    volumes = [
        {"name": "ca", "mountPath": "/ca", "configMap": {"name": "ca"}},
        {"name": "models", "mountPath": "/models", "persistentVolumeClaim": {"claimName": "models"}},
    ]
    systems = [{"name": "gpu", "accelerator": {}}, {"name": "cpu", "env": env, "volumes": volumes}]
    spec = wire_spec(**WITH_JOB, systems=systems, prepare={"system": "cpu"})
    world = World(spec=spec, finalizers=(FINALIZER,)).completed()
    world.delete()
    world.round()
    pod = deletion_job(world)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert {"name": "KEY", "valueFrom": {"secretKeyRef": key | {"optional": True}}} in container["env"]
    assert {"name": "PLAIN", "value": "1"} in container["env"]
    assert [v["configMap"] for v in pod["volumes"] if "configMap" in v] == [{"name": "ca", "optional": True}]
    assert not any("persistentVolumeClaim" in volume for volume in pod["volumes"])


def test_a_job_whose_spec_cannot_be_read_goes_at_once() -> None:
    world = World(spec={"passes": []}, finalizers=(FINALIZER,))
    world.delete()
    world.round()
    assert world.finalizers == ()


def test_a_job_of_that_name_that_is_not_marked_as_ours_says_nothing() -> None:
    world = kept_world()
    world.delete()
    world.round()
    end_deletion(world, 0)
    deletion_job(world)["metadata"]["labels"] = {}
    assert world.observe().deletion is None


def test_a_deletion_changes_no_status() -> None:
    world = kept_world()
    before = world.status
    world.delete()
    world.rounds(2)
    assert world.status == before


def live_with_job() -> JobLife:
    life = JobLife(wire_spec(**WITH_JOB))
    life.live_on()
    assert life.api.status.phase == "Complete"
    assert life.store.published
    return life


@pytest.mark.parametrize(("foreground", "first"), [(True, 1), (False, 2)])
def test_a_finished_job_is_deleted_and_its_artifact_too_whenever_the_operator_is_killed(
    foreground: bool, first: int
) -> None:
    for calls in range(first, 9, 2):
        life = live_with_job()
        life.api.delete_fine_tune_job(foreground=foreground)
        for _ in range(calls):
            life.operator.step()
        life.kill_operator()
        life.live_on()
        assert (life.api.fine_tune_job, life.store.published) == (None, False)


def test_in_a_namespace_that_goes_too_it_is_let_go_at_once() -> None:
    life = live_with_job()
    life.api.namespace_terminating = True
    life.api.delete_fine_tune_job(foreground=False)
    life.operator.round()
    assert life.api.fine_tune_job is None
    assert life.store.published


def test_a_removal_that_is_refused_is_not_tried_again_once_its_time_is_over() -> None:
    life = live_with_job()
    life.api.delete_fine_tune_job(foreground=False)
    life.api.no_quota = True
    life.operator.round()
    assert life.api.fine_tune_job
    life.api.now += timedelta(seconds=LONGEST)
    life.operator.round()
    assert life.api.fine_tune_job is None
    assert life.store.published


def test_a_running_job_is_deleted_with_all_that_runs() -> None:
    life = JobLife(wire_spec(**WITH_JOB))
    while not any(life.nodes.stage_of(pod) is not None for pod in life.nodes.live_pods):
        life.go_on()
    life.api.delete_fine_tune_job(foreground=False)
    life.live_on()
    assert life.api.fine_tune_job is None
    assert life.nodes.live_pods == []
    assert life.api.own_jobs() == []


def test_a_deleted_job_with_the_finalizer_is_looked_at_though_it_has_ended() -> None:
    life = live_with_job()
    life.api.jobs.clear()
    life.api.pods.clear()
    assert not life.api.watched()
    life.api.delete_fine_tune_job(foreground=False)
    assert life.api.watched()
