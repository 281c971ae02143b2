"""The variables of pods: who they are, what a system may give them, and what may not lead to code."""

from dataclasses import replace
from typing import Any

import pytest

from built_jobs import Wire, container_of, document, mounts_of, prepare_job, stage_job
from finetune_api import pod_layout
from finetune_api.messages import JobDocument
from finetune_api.resource.passes import Pass
from finetune_operator.default_system import DefaultSystem
from finetune_operator.manifests.deletion_job import build_deletion_job
from finetune_operator.manifests.job import build_prepare_job
from operator_world import SETTINGS

LEAD_TO_CODE = (
    *("PATH", "VIRTUAL_ENV", "HOME", "XDG_CONFIG_HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE"),
    *("PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "_PYTHON_SYSCONFIGDATA_NAME", "LD_PRELOAD", "LD_LIBRARY_PATH"),
    *("LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "BASH_ENV"),
    *("ENV", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
)
both = pytest.mark.parametrize("job", [prepare_job(), stage_job()], ids=["prepare", "stage"])


@both
def test_the_pod_learns_its_uid_from_the_api_and_no_system_can_forge_it(job: Wire) -> None:
    own = [variable for variable in container_of(job)["env"] if variable["name"] == pod_layout.POD_UID_ENV]
    assert [variable["valueFrom"]["fieldRef"]["fieldPath"] for variable in own] == ["metadata.uid"]


def test_prepare_gets_what_every_job_gets_also_without_a_system() -> None:
    given = replace(SETTINGS, default_system=DefaultSystem.model_validate({"env": [{"name": "P", "value": "x"}]}))
    job = build_prepare_job(document(), 1, given, None)
    assert {"name": "P", "value": "x"} in container_of(job)["env"]


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


@pytest.mark.parametrize("signing", [{}, {"signing": {"keySecretRef": {"name": "key", "key": "k"}}}])
def test_in_an_image_with_plugins_it_reaches_prepare_which_has_no_key(signing: Wire) -> None:
    variable = {"name": "LD_LIBRARY_PATH", "value": "/mnt/own"}
    doc = with_plugin(document(output={"s3": {"uri": "s3://models/out"}} | signing, **with_variable(variable)))
    assert variable in container_of(prepare_job(doc))["env"]
    assert f"{pod_layout.SECRETS}/key" not in mounts_of(prepare_job(doc))


def test_of_a_job_with_plugins_the_prepare_that_signs_gets_none_and_no_environment_from_a_claim() -> None:
    variable = {"name": "LD_LIBRARY_PATH", "value": "/mnt/own"}
    claim = {"name": "venv", "mountPath": "/opt/venv", "persistentVolumeClaim": {"claimName": "ml-env"}}
    output = {"s3": {"uri": "s3://models/out"}, "signing": {"keySecretRef": {"name": "key", "key": "k"}}}
    job = prepare_job(with_plugin(document(output=output, **with_variable(variable, volumes=[claim]))), publishes=True)
    assert f"{pod_layout.SECRETS}/key" in mounts_of(job)
    assert container_of(job)["image"] == SETTINGS.operator_image
    assert variable not in container_of(job)["env"]
    assert "/opt/venv" not in mounts_of(job)
    assert pod_layout.WITHOUT_KEY_ENV not in str(container_of(job)["env"])


def with_variable(variable: Wire, **more: Any) -> dict[str, Any]:
    return {"systems": [{"name": "gpu", "image": "registry.test/runner:1", "env": [variable], **more}]}


def with_plugin(doc: JobDocument) -> JobDocument:
    passes = [Pass.model_validate({"name": "soup", "system": "gpu", "plugin": {"name": "soup"}})]
    return doc.model_copy(update={"spec": doc.spec.model_copy(update={"passes": passes})})
