"""Child Jobs: whom they belong to, how they end, where their pods run, and as whom."""

from dataclasses import replace

import pytest

from built_jobs import Wire, container_of, document, mounts_of, pod_of, prepare_job, stage_job
from finetune_api import pod_layout
from finetune_api.messages import JobDocument
from finetune_api.plan import plan
from finetune_api.resource.passes import Pass
from finetune_api.resource.systems import Resources
from finetune_operator.manifests.config_map import build_config_map
from finetune_operator.manifests.deletion_job import build_deletion_job
from finetune_operator.manifests.job import build_prepare_job, build_stage_job
from finetune_operator.pod_identity import PodIdentity
from operator_world import SETTINGS, UID

both = pytest.mark.parametrize("job", [prepare_job(), stage_job()], ids=["prepare", "stage"])


def test_who_the_pods_run_as_is_left_to_the_platform_where_the_operator_is_told_so() -> None:
    settings = replace(SETTINGS, pod_identity=PodIdentity(run_as_group=0))
    jobs = (build_prepare_job(document(), 1, settings, None), build_deletion_job(document(), settings))
    for job in jobs:
        assert pod_of(job)["securityContext"] == {
            "runAsNonRoot": True,
            "runAsGroup": 0,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }


@both
def test_the_pod_passes_pod_security_restricted(job: Wire) -> None:
    pod, container = pod_of(job), container_of(job)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "secret", "persistentVolumeClaim"}


@both
def test_the_pod_has_no_api_token_and_a_read_only_root(job: Wire) -> None:
    assert pod_of(job)["automountServiceAccountToken"] is False
    assert pod_of(job)["enableServiceLinks"] is False
    assert container_of(job)["securityContext"]["readOnlyRootFilesystem"] is True


@both
def test_scratch_is_an_empty_dir_with_a_limit_and_home_lies_in_it(job: Wire) -> None:
    volume, read_only = mounts_of(job)[pod_layout.WORK]
    assert volume["emptyDir"]["sizeLimit"]
    assert not read_only
    env = {variable["name"]: variable.get("value") for variable in container_of(job)["env"]}
    assert env["HOME"] == "/work/home"
    assert env["TMPDIR"] == "/work/tmp"


@both
def test_the_last_word_falls_back_to_the_log_and_there_is_time_for_a_checkpoint(job: Wire) -> None:
    assert container_of(job)["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert pod_of(job)["terminationGracePeriodSeconds"] == 60
    assert pod_of(job)["restartPolicy"] == "Never"


@both
def test_permanent_exit_codes_fail_the_job_and_disruptions_do_not_count(job: Wire) -> None:
    permanent, disruption = job["spec"]["podFailurePolicy"]["rules"]
    assert permanent["action"] == "FailJob"
    assert permanent["onExitCodes"] == {"containerName": "runner", "operator": "In", "values": list(range(10, 40))}
    assert disruption["action"] == "Ignore"
    assert disruption["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert job["spec"]["backoffLimit"] == 3


@both
def test_the_job_belongs_to_the_fine_tune_job_alone(job: Wire) -> None:
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("FineTuneJob", "tone", UID, True)
    assert owner["blockOwnerDeletion"] is True
    assert "ttlSecondsAfterFinished" not in job["spec"]


@both
def test_pods_carry_the_labels_they_are_found_by(job: Wire) -> None:
    marks = job["spec"]["template"]["metadata"]["labels"]
    assert marks == job["metadata"]["labels"]
    assert marks["app.kubernetes.io/managed-by"] == "finetune-operator"
    assert marks["finetune-operator.dev/job-uid"] == UID
    assert all(len(value) <= 63 for value in marks.values())


def test_prepare_runs_in_the_operators_image_without_an_accelerator() -> None:
    job = prepare_job(document(prepare={"system": "gpu"}))
    container = container_of(job)
    assert container["image"] == SETTINGS.operator_image
    assert container["command"] == ["finetune-runner", "prepare"]
    assert container["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        "limits": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "52Gi"},
    }


def test_prepare_and_deletion_get_the_resources_that_the_operator_is_told() -> None:
    told = {"requests": {"cpu": "1"}, "limits": {"cpu": "3", "memory": "4Gi"}}
    settings = replace(SETTINGS, prepare_resources=Resources.model_validate(told))
    jobs = (build_prepare_job(document(), 1, settings, None), build_deletion_job(document(), settings))
    assert [container_of(job)["resources"] for job in jobs] == [told, told]


def test_prepare_shares_the_placement_of_the_system_it_names_and_else_none() -> None:
    placed, plain = pod_of(prepare_job(document(prepare={"system": "gpu"}))), pod_of(prepare_job())
    assert placed["nodeSelector"] == {"pool": "a"}
    assert placed["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert placed["serviceAccountName"] == "trainer"
    assert placed["imagePullSecrets"] == [{"name": "pull"}]
    assert {"nodeSelector", "tolerations", "serviceAccountName", "imagePullSecrets"}.isdisjoint(plain)


def test_with_plugins_prepare_runs_in_their_image_with_all_their_system_has_but_the_accelerator() -> None:
    passes = [{"name": "soup", "system": "gpu", "plugin": {"name": "soup"}}]
    spec = document().spec.model_copy(update={"passes": [Pass.model_validate(step) for step in passes]})
    job = prepare_job(document().model_copy(update={"spec": spec}))
    assert container_of(job)["image"] == "registry.test/runner:1"
    assert container_of(job)["command"] == ["finetune-runner", "prepare"]
    assert container_of(job)["resources"] == container_of(prepare_job())["resources"]
    assert pod_of(job)["imagePullSecrets"] == [{"name": "pull"}]
    assert "/opt/venv" in mounts_of(job)
    assert pod_of(job)["securityContext"] == pod_of(prepare_job())["securityContext"]
    assert container_of(job)["securityContext"] == container_of(prepare_job())["securityContext"]


def test_a_stage_asks_for_its_systems_accelerator_in_requests_and_limits() -> None:
    assert container_of(stage_job(0))["resources"] == {
        "requests": {"memory": "8Gi", "nvidia.com/gpu": "2"},
        "limits": {"memory": "9Gi", "nvidia.com/gpu": "2"},
    }


def test_a_stage_on_a_cpu_system_asks_for_no_accelerator() -> None:
    assert "nvidia.com/gpu" not in str(stage_job(1))


def test_a_stage_is_told_its_index_and_runs_in_its_systems_image() -> None:
    container = container_of(stage_job(1))
    assert container["command"] == ["finetune-runner", "stage", "1"]
    assert container["image"] == "registry.test/runner:1"


def test_a_stage_has_shared_memory_of_the_systems_size() -> None:
    volume, _ = mounts_of(stage_job())["/dev/shm"]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}


def test_a_stage_that_queues_is_made_suspended_and_carries_kueues_labels() -> None:
    queue = {"name": "gpu", "queueName": "team-a", "workloadPriorityClassName": "urgent"}
    job = stage_job(doc=document(systems=[queue, {"name": "cpu"}]))
    assert job["spec"]["suspend"] is True
    marks = job["metadata"]["labels"]
    assert marks["kueue.x-k8s.io/queue-name"] == "team-a"
    assert marks["kueue.x-k8s.io/priority-class"] == "urgent"
    assert marks["finetune-operator.dev/stage"] == "0"
    assert not [name for name in job["spec"]["template"]["metadata"]["labels"] if name.startswith("kueue")]


def test_neither_prepare_nor_a_system_without_a_queue_queues() -> None:
    doc = document(systems=[{"name": "gpu", "queueName": "team-a"}, {"name": "cpu"}], prepare={"system": "gpu"})
    for job in (prepare_job(doc), stage_job(1, doc)):
        assert "suspend" not in job["spec"]
        assert not [name for name in job["metadata"]["labels"] if name.startswith("kueue")]


def test_a_priority_class_is_the_pods() -> None:
    doc = document(systems=[{"name": "gpu", "priorityClassName": "high"}, {"name": "cpu"}])
    assert pod_of(stage_job(doc=doc))["priorityClassName"] == "high"
    assert "priorityClassName" not in pod_of(stage_job(1, doc))


def test_a_system_says_how_long_its_stages_may_take_to_stop() -> None:
    patient = document(systems=[{"name": "gpu", "terminationGracePeriodSeconds": 300}, {"name": "cpu"}])
    assert pod_of(stage_job(doc=patient))["terminationGracePeriodSeconds"] == 300
    assert pod_of(prepare_job(patient))["terminationGracePeriodSeconds"] == 60


def test_a_pod_that_has_longer_to_stop_than_its_system_says_is_told_so() -> None:
    doc = document()
    stage = plan(doc.spec).stages[0]
    for seconds, told in ((60, []), (90, ["90"])):
        job = build_stage_job(doc, stage, 1, SETTINGS, None, grace_seconds=seconds)
        assert pod_of(job)["terminationGracePeriodSeconds"] == seconds
        assert [v["value"] for v in container_of(job)["env"] if v["name"] == pod_layout.GRACE_ENV] == told


def test_the_config_map_is_immutable_and_holds_the_document() -> None:
    config_map = build_config_map(document(), "registry.test/runner:1")
    assert config_map["immutable"] is True
    assert JobDocument.model_validate_json(config_map["data"]["job.json"]) == document()
