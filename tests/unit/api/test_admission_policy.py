"""A policy looks at every place where a job names something outside of itself."""

from pathlib import Path
from typing import Any

from finetune_api.admission_policy import expressions, render, sites
from schemas import crd_schema

CHART = Path(__file__).parents[3] / "charts" / "finetune-operator"
OUTSIDE = ("inputModel", "dataConfigs", "store", "output", "systems")
"""Parts of the spec that name what lies outside of the job; passes, evaluators and gates name what the job has."""
HARMLESS = {
    # what is read from a place that is bounded itself
    "revision",
    "subset",
    "ggufFile",
    "path",
    "region",
    "caBundle",
    "key",
    "dataConfigs[].files[]",
    "dataConfigs[].split",
    # rows and how they are read
    "dataConfigs[].source.inline.text",
    "dataConfigs[].source.configMap.name",
    "dataConfigs[].filters[].column",
    "dataConfigs[].filters[].values[]",
    *(f"dataConfigs[].preprocess.{name}" for name in ("answerColumn", "joiner", "textColumns[]", "textTemplate")),
    *(f"dataConfigs[].preprocess.chat.{name}" for name in ("chatTemplate", "messagesColumn")),
    *(f"dataConfigs[].preprocess.pair.{name}" for name in ("inputColumn", "outputColumn")),
    # of the pod: where it runs, what it finds where; an environment variable is bounded by its name
    "systems[].env[].value",
    "systems[].env[].valueFrom.configMapKeyRef.name",
    "systems[].volumes[].configMap.name",
    "systems[].volumes[].mountPath",
    "systems[].tolerations[].key",
    "systems[].tolerations[].value",
    "systems[].nodeSelector",
    "systems[].scratchSize",
    "systems[].shmSize",
}


def places(value: str) -> set[str]:
    return {".".join(site.path) for site in sites() if site.governed.by == value}


def texts(schema: dict[str, Any], path: str) -> list[str]:
    """Where a text can stand, in a part of the schema."""
    if schema["type"] == "array":
        return texts(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        return [path]
    if schema["type"] == "object":
        return [found for name, field in schema["properties"].items() for found in texts(field, f"{path}.{name}")]
    return [path] if schema["type"] == "string" and "enum" not in schema else []


def is_harmless(path: str) -> bool:
    return path.endswith("[].name") or path in HARMLESS or path.rpartition(".")[2] in HARMLESS


def test_the_charts_file_has_not_drifted():
    assert (CHART / "files" / "policy.yaml").read_text() == render(), "run make generate"


def test_all_uses_of_secrets_are_looked_at():
    assert places("secrets") == {
        "inputModel.source.huggingFace.tokenSecretRef.name",
        "inputModel.source.s3.credentialsSecretRef.name",
        "dataConfigs[].source.huggingFace.tokenSecretRef.name",
        "dataConfigs[].source.s3.credentialsSecretRef.name",
        "store.s3.credentialsSecretRef.name",
        "output.s3.credentialsSecretRef.name",
        "output.signing.keySecretRef.name",
        "systems[].env[].valueFrom.secretKeyRef.name",
        "systems[].imagePullSecrets[].name",
        "systems[].volumes[].secret.secretName",
    }


def test_all_buckets_and_their_endpoints_are_looked_at():
    holders = {"inputModel.source.s3", "dataConfigs[].source.s3", "store.s3", "output.s3"}
    assert places("buckets") == {f"{holder}.uri" for holder in holders}
    assert places("s3Endpoints") == {f"{holder}.endpoint" for holder in holders}


def test_accelerators_are_looked_at_however_a_pod_asks_for_them():
    assert places("accelerators") == {
        "systems[].accelerator",
        "systems[].resources.requests",
        "systems[].resources.limits",
    }


def test_every_text_that_could_name_something_outside_the_job_is_looked_at_or_known_to_be_harmless():
    spec = crd_schema()["properties"]["spec"]["properties"]
    told = {path for part in OUTSIDE for path in texts(spec[part], part)}
    bounded = {".".join(site.path) for site in sites()}
    looked_at = {path for path in told if path in bounded or path.rpartition(".")[0] in bounded}
    assert {path for path in told - looked_at if not is_harmless(path)} == set()


def test_a_switch_is_compared_with_what_is_allowed():
    """In full, since all expressions are built so: a field that is not there asks for nothing."""
    assert expressions()["trustRemoteCode"] == (
        "[(has(object.spec.inputModel) ? (has(object.spec.inputModel.trustRemoteCode) ?"
        " (object.spec.inputModel.trustRemoteCode && !variables.allowed_trustRemoteCode ?"
        " 'spec.inputModel.trustRemoteCode is true' : '')"
        " : '') : '')].filter(text, text != '').join('; ')"
    )


def test_a_system_mounts_claims_config_maps_and_secrets_alone():
    volume = crd_schema()["properties"]["spec"]["properties"]["systems"]["items"]["properties"]["volumes"]["items"]
    assert set(volume["properties"]) - {"name", "mountPath", "readOnly"} == {
        "persistentVolumeClaim",
        "configMap",
        "secret",
    }
