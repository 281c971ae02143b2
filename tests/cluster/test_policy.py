"""What an administrator's policy refuses, asked of the API server itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_access import Cluster, until
from cluster_manifests import with_change
from cluster_setup import CHART

Json = dict[str, Any]
NAMESPACE = "bounded"
POLICY = {
    "enabled": True,
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
    "accelerators": {"nvidia.com/gpu": 2},
    "images": ["registry.example.com/finetune/*"],
    "serviceAccounts": ["tuner"],
    "queues": ["team-a"],
    "priorityClasses": ["batch"],
    "secrets": ["s3", "hf-*"],
    "claims": [],
    "environment": ["WANDB_*", "TZ"],
    "buckets": ["s3://team-a/*"],
    "s3Endpoints": ["https://s3.example.com"],
    "repositories": ["microsoft/*"],
    "hubEndpoints": [""],
}
TOKEN = {"name": "hf-a", "key": "token"}
S3 = {"endpoint": "https://s3.example.com", "credentialsSecretRef": {"name": "s3"}}
ASKS_FOR_NO_MORE = {
    "inputModel": {"source": {"huggingFace": {"repo": "microsoft/phi", "tokenSecretRef": TOKEN}}},
    "dataConfigs": [
        {
            "name": "tones",
            "source": {"s3": {"uri": "s3://team-a/tones.jsonl", **S3}},
            "preprocess": {"textTemplate": "{phrase}: {tone}"},
        }
    ],
    "systems": [
        {
            "name": "gpu",
            "accelerator": {"count": 2},
            "image": "registry.example.com/finetune/runner:1",
            "serviceAccountName": "tuner",
            "queueName": "team-a",
            "imagePullSecrets": [{"name": "hf-pull"}],
            "env": [{"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "hf-w", "key": "k"}}}],
            "volumes": [{"name": "own", "mountPath": "/own", "secret": {"secretName": "s3"}}],
            "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
        }
    ],
    "passes": [{"name": "tune", "lora": {"trainData": "tones"}}],
    "store": {"s3": {"uri": "s3://team-a/store", **S3}},
}
TOO_MUCH: dict[str, tuple[str, Any, str]] = {
    "accelerators": ("systems.0.accelerator.count", 3, "spec.systems[gpu].accelerator is 3 nvidia.com/gpu"),
    "another accelerator": (
        *("systems.0.accelerator.resourceName", "amd.com/gpu"),
        "spec.systems[gpu].accelerator is 2 amd.com/gpu",
    ),
    "accelerators as a limit": (
        *("systems.0.resources.limits", {"nvidia.com/gpu": "8"}),
        "spec.systems[gpu].resources.limits names 8 nvidia.com/gpu",
    ),
    "another registry": ("systems.0.image", "evil.example.com/runner:1", 'spec.systems[gpu].image is "evil.'),
    "a registry that begins alike": (
        *("systems.0.image", "registry.example.com/finetune-evil/runner"),
        'spec.systems[gpu].image is "registry.example.com/finetune-evil/runner"',
    ),
    "a service account": ("systems.0.serviceAccountName", "admin", 'serviceAccountName is "admin"'),
    "a queue": ("systems.0.queueName", "team-b", 'spec.systems[gpu].queueName is "team-b"'),
    "no queue": ("systems.0.queueName", "", 'spec.systems[gpu].queueName is ""'),
    "a priority": ("systems.0.priorityClassName", "urgent", 'spec.systems[gpu].priorityClassName is "urgent"'),
    "a priority in the queue": (
        *("systems.0.workloadPriorityClassName", "urgent"),
        'spec.systems[gpu].workloadPriorityClassName is "urgent"',
    ),
    "a pull secret": (
        *("systems.0.imagePullSecrets", [{"name": "other"}]),
        'spec.systems[gpu].imagePullSecrets[other].name is "other"',
    ),
    "a secret in the environment": (
        *("systems.0.env.0.valueFrom.secretKeyRef.name", "other"),
        'spec.systems[gpu].env[WANDB_API_KEY].valueFrom.secretKeyRef.name is "other"',
    ),
    "a secret as a volume": (
        *("systems.0.volumes.0.secret.secretName", "other"),
        'spec.systems[gpu].volumes[own].secret.secretName is "other"',
    ),
    "a store's secret": (
        *("store.s3.credentialsSecretRef.name", "other"),
        'spec.store.s3.credentialsSecretRef.name is "other"',
    ),
    "the hub's token": (
        *("inputModel.source.huggingFace.tokenSecretRef.name", "other"),
        'spec.inputModel.source.huggingFace.tokenSecretRef.name is "other"',
    ),
    "a claim": (
        *("systems.0.volumes.0", {"name": "v", "mountPath": "/v", "persistentVolumeClaim": {"claimName": "any"}}),
        'volumes[v].persistentVolumeClaim.claimName is "any"; allowed by the cluster\'s policy (claims): []',
    ),
    "a proxy": ("systems.0.env.0.name", "HTTPS_PROXY", 'spec.systems[gpu].env[HTTPS_PROXY].name is "HTTPS_PROXY"'),
    "a bucket": (
        "dataConfigs.0.source.s3.uri",
        "s3://team-b/x",
        'spec.dataConfigs[tones].source.s3.uri is "s3://team-b/x"',
    ),
    "an endpoint": (
        *("store.s3.endpoint", "https://s3.example.com.evil.org"),
        'spec.store.s3.endpoint is "https://s3.example.com.evil.org"',
    ),
    "an endpoint that is left out": (
        *("output", {"s3": {"uri": "s3://team-a/out"}}),
        'spec.output.s3.endpoint is ""; allowed by the cluster\'s policy (s3Endpoints): ["https://s3.example.com"]',
    ),
    "a repository": ("inputModel.source.huggingFace.repo", "who/knows", 'huggingFace.repo is "who/knows"'),
    "a mirror": ("inputModel.source.huggingFace.endpoint", "https://hub.example.org", 'endpoint is "https://hub'),
    "remote code": ("inputModel.trustRemoteCode", True, "spec.inputModel.trustRemoteCode is true"),
    "pickle": ("inputModel.allowPickle", True, "spec.inputModel.allowPickle is true"),
}


def manifest(spec: Json) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "finetune-operator.dev/v1alpha1",
            "kind": "FineTuneJob",
            "metadata": {"name": "asks"},
            "spec": spec,
        }
    )


def refusal(cluster: Cluster, spec: Json, namespace: str = NAMESPACE) -> str:
    """What the API server says against a job; nothing when it would take it."""
    asked = ("kubectl", "create", "--dry-run=server", "-n", namespace, "-f", "-")
    done = cluster.attempt(*asked, stdin=manifest(spec))
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def bounded(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster with the policy in force, in a namespace of its own."""
    values = tmp_path_factory.mktemp("policy") / "values.yaml"
    values.write_text(yaml.safe_dump({"policy": POLICY}))
    rendered = _rendered(cluster, values)
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("apply", "-f", "-", stdin=rendered)
    code = with_change(ASKS_FOR_NO_MORE, "inputModel.trustRemoteCode", True)
    until(lambda: refusal(cluster, code), 30, "the policy is in force")
    yield cluster
    cluster.kubectl("delete", "--wait=false", "-f", "-", stdin=rendered)
    cluster.kubectl("delete", "--wait=false", "namespace", NAMESPACE)


def _rendered(cluster: Cluster, values: Path) -> str:
    chosen = ("-s", "templates/policy.yaml", "-f", str(values), "--kube-version", "1.34")
    return cluster.run("helm", "template", "bounded", str(CHART), *chosen)


def test_a_job_that_asks_for_no_more_is_accepted(bounded: Cluster) -> None:
    assert refusal(bounded, ASKS_FOR_NO_MORE) == ""


@pytest.mark.parametrize(("field", "value", "told"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_job_is_refused_that_asks_for(bounded: Cluster, field: str, value: Any, told: str) -> None:
    said = refusal(bounded, with_change(ASKS_FOR_NO_MORE, field, value))
    assert "denied request: " in said
    assert told in said


def test_a_namespace_that_the_selector_leaves_out_is_free(bounded: Cluster) -> None:
    assert refusal(bounded, with_change(ASKS_FOR_NO_MORE, "inputModel.trustRemoteCode", True), "default") == ""


def test_the_longest_lists_are_within_what_the_api_server_spends_on_a_policy(bounded: Cluster) -> None:
    system = ASKS_FOR_NO_MORE["systems"][0]
    env = [{"name": f"WANDB_{n}", "valueFrom": {"secretKeyRef": {"name": f"hf-{n}", "key": "k"}}} for n in range(32)]
    systems = [{**system, "name": f"gpu-{n}", "env": env} for n in range(32)]
    assert refusal(bounded, with_change(ASKS_FOR_NO_MORE, "systems", systems)) == ""


def test_the_api_server_finds_no_mistake_in_the_expressions(bounded: Cluster) -> None:
    name = "bounded-jobs"
    until(lambda: "typeChecking" in bounded.get("validatingadmissionpolicy", name)["status"], 20, "types are checked")
    checked = bounded.get("validatingadmissionpolicy", name)["status"]["typeChecking"]
    assert checked.get("expressionWarnings", []) == []
