from dataclasses import replace
from typing import Any

import pytest

from api_specs import spec_of
from finetune_api import pod_layout
from finetune_api.messages import JobDocument
from finetune_api.plan import plan
from finetune_api.reserved_places import PLACES
from finetune_api.resource.passes import Pass
from finetune_api.resource.systems import Resources
from finetune_operator.default_system import DefaultSystem
from finetune_operator.manifests.config_map import build_config_map
from finetune_operator.manifests.deletion_job import build_deletion_job
from finetune_operator.manifests.job import build_prepare_job, build_stage_job
from finetune_operator.pod_identity import PodIdentity
from operator_world import SETTINGS, UID

PLACEMENT = {
    "nodeSelector": {"pool": "a"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "serviceAccountName": "trainer",
    "imagePullSecrets": [{"name": "pull"}],
    "env": [{"name": "HF_HOME", "value": "/cache"}, {"name": "FINETUNE_POD_UID", "value": "forged"}],
    "volumes": [{"name": "venv", "mountPath": "/opt/venv", "persistentVolumeClaim": {"claimName": "ml-env"}}],
}
Wire = dict[str, Any]


def document(**parts: Any) -> JobDocument:
    systems = [
        {
            "name": "gpu",
            "accelerator": {"count": 2},
            "image": "registry.test/runner:1",
            "resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "9Gi"}},
            **PLACEMENT,
        },
        {"name": "cpu", "image": "registry.test/runner:1"},
    ]
    return JobDocument(namespace="team", name="tone", uid=UID, spec=spec_of(**({"systems": systems} | parts)))


def prepare_job(doc: JobDocument | None = None) -> Wire:
    return build_prepare_job(doc or document(), 1, SETTINGS, None)


def stage_job(index: int = 0, doc: JobDocument | None = None) -> Wire:
    doc = doc or document()
    return build_stage_job(doc, plan(doc.spec).stages[index], 1, SETTINGS, None)


def pod_of(job: Wire) -> Wire:
    return job["spec"]["template"]["spec"]


def container_of(job: Wire) -> Wire:
    (container,) = pod_of(job)["containers"]
    return container


def mounts_of(job: Wire) -> dict[str, tuple[Wire, bool]]:
    """Mount path to volume source and whether it is read-only."""
    sources = {volume["name"]: volume for volume in pod_of(job)["volumes"]}
    return {m["mountPath"]: (sources[m["name"]], m["readOnly"]) for m in container_of(job)["volumeMounts"]}


LEAD_TO_CODE = (
    *("PATH", "VIRTUAL_ENV", "HOME", "XDG_CONFIG_HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE"),
    *("PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "_PYTHON_SYSCONFIGDATA_NAME", "LD_PRELOAD", "LD_LIBRARY_PATH"),
    *("LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "BASH_ENV"),
    *("ENV", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
)
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
def test_the_pod_learns_its_uid_from_the_api_and_no_system_can_forge_it(job: Wire) -> None:
    own = [variable for variable in container_of(job)["env"] if variable["name"] == pod_layout.POD_UID_ENV]
    assert [variable["valueFrom"]["fieldRef"]["fieldPath"] for variable in own] == ["metadata.uid"]


@both
def test_whatever_the_operator_mounts_no_volume_of_a_system_may_hide(job: Wire) -> None:
    ours = mounts_of(job).keys() - {"/opt/venv"}
    assert {"/etc/finetune", "/work"} <= ours
    assert [place for place in ours if not any(f"{place}/".startswith(f"{reserved}/") for reserved in PLACES)] == []


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


def test_prepare_gets_what_every_job_gets_also_without_a_system() -> None:
    given = replace(SETTINGS, default_system=DefaultSystem.model_validate({"env": [{"name": "P", "value": "x"}]}))
    job = build_prepare_job(document(), 1, given, None)
    assert {"name": "P", "value": "x"} in container_of(job)["env"]


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


def test_pods_log_text_unless_the_operator_is_told_otherwise() -> None:
    told = replace(SETTINGS, pod_log_format="json")
    for settings, expected in ((SETTINGS, []), (told, ["json"])):
        for job in (build_prepare_job(document(), 1, settings, None), build_deletion_job(document(), settings)):
            assert [v["value"] for v in container_of(job)["env"] if v["name"] == "FINETUNE_LOG_FORMAT"] == expected


def test_nothing_replaces_the_environment_of_the_image_that_holds_the_signing_key() -> None:
    assert "/opt/venv" in mounts_of(stage_job(0))
    assert "/opt/venv" not in mounts_of(prepare_job(document(prepare={"system": "gpu"})))


@pytest.mark.parametrize("name", LEAD_TO_CODE)
def test_no_variable_that_leads_to_code_reaches_a_pod_of_the_operators_image(name: str) -> None:
    variable = {"name": name, "value": "/mnt/own"}
    doc = document(systems=[{"name": "gpu", "env": [variable]}, {"name": "cpu"}], prepare={"system": "gpu"})
    assert variable in container_of(stage_job(doc=doc))["env"]
    for job in (prepare_job(doc), build_deletion_job(doc, SETTINGS)):
        assert variable not in container_of(job)["env"]


def test_nor_one_of_what_every_job_gets() -> None:
    env = [{"name": "PYTHONPATH", "value": "/mnt/own"}, {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]
    given = replace(SETTINGS, default_system=DefaultSystem.model_validate({"env": env}))
    names = {v["name"] for v in container_of(build_prepare_job(document(), 1, given, None))["env"]}
    assert "HTTPS_PROXY" in names
    assert "PYTHONPATH" not in names


@pytest.mark.parametrize(("signing", "reaches"), [(None, True), ({"keySecretRef": {"name": "key", "key": "k"}}, False)])
def test_in_an_image_with_plugins_it_reaches_prepare_but_where_that_signs(signing: Wire | None, reaches: bool) -> None:
    env = [{"name": "LD_LIBRARY_PATH", "value": "/mnt/own"}]
    output = {"s3": {"uri": "s3://models/out"}} | ({"signing": signing} if signing else {})
    doc = document(systems=[{"name": "gpu", "image": "registry.test/runner:1", "env": env}], output=output)
    passes = [Pass.model_validate({"name": "soup", "system": "gpu", "plugin": {"name": "soup"}})]
    job = prepare_job(doc.model_copy(update={"spec": doc.spec.model_copy(update={"passes": passes})}))
    assert (env[0] in container_of(job)["env"]) is reaches


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


def test_a_system_may_move_a_cache_and_mount_volumes_of_its_own() -> None:
    env = [v for v in container_of(stage_job())["env"] if v["name"] == "HF_HOME"]
    assert env == [{"name": "HF_HOME", "value": "/cache"}]
    volume, read_only = mounts_of(stage_job())["/opt/venv"]
    assert volume["persistentVolumeClaim"] == {"claimName": "ml-env"}
    assert read_only


def test_what_the_spec_refers_to_is_mounted_where_the_runner_looks() -> None:
    doc = document(
        inputModel={"source": {"huggingFace": {"repo": "a/b", "tokenSecretRef": {"name": "hub.token", "key": "t"}}}},
        dataConfigs=[
            {
                "name": "tones",
                "source": {"configMap": {"name": "rows", "key": "rows.jsonl"}},
                "preprocess": {"textTemplate": "{phrase} {tone}"},
            }
        ],
        store={"s3": {"uri": "s3://models/cache", "credentialsSecretRef": {"name": "s3"}}},
        output={"volume": {"claimName": "models", "path": "out"}},
    )
    mounts = mounts_of(stage_job(doc=doc))
    assert mounts[f"{pod_layout.SECRETS}/hub.token"][0]["secret"] == {"secretName": "hub.token", "optional": True}
    assert mounts[f"{pod_layout.SECRETS}/s3"][0]["secret"] == {"secretName": "s3", "optional": True}
    assert mounts[f"{pod_layout.CONFIG_MAPS}/rows"][0]["configMap"] == {"name": "rows", "optional": True}
    assert mounts[f"{pod_layout.VOLUMES}/models"][0]["persistentVolumeClaim"] == {"claimName": "models"}
    assert not mounts[f"{pod_layout.VOLUMES}/models"][1]


def test_data_that_no_pass_uses_is_not_mounted() -> None:
    """A claim that is missing would keep the pod from starting."""
    tones = {"name": "tones", "source": {"volume": {"claimName": "rows", "path": "tones.jsonl"}}}
    spare = {"name": "spare", "source": {"volume": {"claimName": "gone", "path": "rows.jsonl"}}}
    words = {"preprocess": {"textTemplate": "{phrase} {tone}"}}
    mounts = mounts_of(stage_job(doc=document(dataConfigs=[spare | words, tones | words])))
    assert f"{pod_layout.VOLUMES}/rows" in mounts
    assert f"{pod_layout.VOLUMES}/gone" not in mounts


def test_a_claim_that_is_read_and_written_is_mounted_once_and_writable() -> None:
    doc = document(
        inputModel={"source": {"volume": {"claimName": "models", "path": "base"}}},
        store={"volume": {"claimName": "models", "path": "cache"}},
    )
    claims = [volume for volume in pod_of(stage_job(doc=doc))["volumes"] if volume["name"].startswith("claim-")]
    assert len(claims) == 1
    assert not mounts_of(stage_job(doc=doc))[f"{pod_layout.VOLUMES}/models"][1]


def test_a_claim_that_is_only_read_is_mounted_read_only() -> None:
    doc = document(inputModel={"source": {"volume": {"claimName": "base-models"}}})
    assert mounts_of(stage_job(doc=doc))[f"{pod_layout.VOLUMES}/base-models"][1]


@both
def test_the_pod_reads_its_job_from_the_config_map(job: Wire) -> None:
    volume, read_only = mounts_of(job)["/etc/finetune"]
    config_map = build_config_map(document(), "registry.test/runner:1")
    assert volume["configMap"]["name"] == config_map["metadata"]["name"]
    assert volume["configMap"]["items"] == [{"key": "job.json", "path": "job.json"}]
    assert read_only


def test_the_config_map_is_immutable_and_holds_the_document() -> None:
    config_map = build_config_map(document(), "registry.test/runner:1")
    assert config_map["immutable"] is True
    assert JobDocument.model_validate_json(config_map["data"]["job.json"]) == document()


def test_only_prepare_gets_the_key_that_signs() -> None:
    output = {"s3": {"uri": "s3://models/out"}, "signing": {"keySecretRef": {"name": "signer", "key": "key.pem"}}}
    doc = document(output=output)
    place = f"{pod_layout.SECRETS}/signer"
    assert mounts_of(prepare_job(doc))[place][0]["secret"] == {"secretName": "signer", "optional": True}
    assert mounts_of(prepare_job(doc))[pod_layout.WORK][0]["emptyDir"] == {"sizeLimit": "50Gi"}
    assert place not in mounts_of(stage_job(0, doc))
    assert place not in mounts_of(stage_job(1, doc))
