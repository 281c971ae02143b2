"""What is mounted into pods, where, and whether they may write there."""

import pytest

from built_jobs import Wire, container_of, document, mounts_of, pod_of, prepare_job, stage_job
from finetune_api import pod_layout
from finetune_api.reserved_places import PLACES
from finetune_operator.manifests.config_map import build_config_map

both = pytest.mark.parametrize("job", [prepare_job(), stage_job()], ids=["prepare", "stage"])


@both
def test_whatever_the_operator_mounts_no_volume_of_a_system_may_hide(job: Wire) -> None:
    ours = mounts_of(job).keys() - {"/opt/venv"}
    assert {"/etc/finetune", "/work"} <= ours
    assert [place for place in ours if not any(f"{place}/".startswith(f"{reserved}/") for reserved in PLACES)] == []


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


def test_only_prepare_gets_the_key_that_signs() -> None:
    output = {"s3": {"uri": "s3://models/out"}, "signing": {"keySecretRef": {"name": "signer", "key": "key.pem"}}}
    doc = document(output=output)
    place = f"{pod_layout.SECRETS}/signer"
    assert mounts_of(prepare_job(doc))[place][0]["secret"] == {"secretName": "signer", "optional": True}
    assert mounts_of(prepare_job(doc))[pod_layout.WORK][0]["emptyDir"] == {"sizeLimit": "50Gi"}
    assert place not in mounts_of(stage_job(0, doc))
    assert place not in mounts_of(stage_job(1, doc))
