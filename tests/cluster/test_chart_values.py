"""Each value of the chart does something: what helm renders is another with it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster_access import Cluster
from cluster_setup import CHART, RELEASE

Json = dict[str, Any]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
ON = {
    "replicas": 2,
    "modelCache.claimName": "models",
    "metrics.podMonitor.enabled": True,
    "metrics.podMonitor.jobs": True,
    "policy.enabled": True,
    "networkPolicy.enabled": True,
    "networkPolicy.namespaces": ["team-a"],
}
"""What the others need to matter."""
AMOUNTS = {"requests": {"cpu": "7"}}
PEERS = [{"podSelector": {"matchLabels": {"app": "other"}}}]
OTHER = {
    "image.operator.digest": "sha256:" + "0" * 64,
    "image.runner.digest": "sha256:" + "0" * 64,
    "image.runnerCuda.digest": "sha256:" + "0" * 64,
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "pull"}],
    "watchNamespaces": ["team-a"],
    "defaultStore": {"s3": {"uri": "s3://models/store"}},
    "defaultSystem": {"nodeSelector": {"pool": "ml"}},
    "podSecurity.runAsUser": None,
    "podSecurity.runAsGroup": None,
    "podSecurity.fsGroup": None,
    "prepare.resources": AMOUNTS,
    "logLevel": "debug",
    "logFormat": "text",
    "podLogFormat": "json",
    "metrics.port": 9090,
    "metrics.podMonitor.labels": {"release": "prometheus"},
    "metrics.podMonitor.interval": "30s",
    "policy.actions": ["Warn"],
    "policy.namespaceSelector": {"matchLabels": {"bounded": "yes"}},
    "policy.accelerators": {"nvidia.com/gpu": 2},
    "policy.buckets": ["s3://team-a/*"],
    "policy.s3Endpoints": ["https://s3.example.com"],
    "policy.hubEndpoints": [""],
    "networkPolicy.namespaces": ["team-b"],
    "networkPolicy.apiServer.cidrs": ["10.0.0.1/32"],
    "networkPolicy.apiServer.ports": [8443],
    "networkPolicy.dns": PEERS,
    "networkPolicy.dnsPorts": [5353],
    "networkPolicy.ingress": [{"from": PEERS}],
    "networkPolicy.metricsFrom": PEERS,
    "networkPolicy.egress": [{"to": PEERS}],
    "serviceAccount.annotations": {"a": "b"},
    "resources": AMOUNTS,
    "nodeSelector": {"pool": "infra"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
}
"""Where no other value can be made up from the default's kind."""


def leaves(values: Json, path: str = "") -> Iterator[str]:
    """The values that hold something, by their paths."""
    for name, value in values.items():
        place = f"{path}{name}"
        if place not in OTHER and isinstance(value, dict) and value:
            yield from leaves(value, f"{place}.")
        else:
            yield place


def other(path: str) -> Any:
    """Another value than that of ON, or else the default."""
    now: Any = VALUES
    for name in path.split("."):
        now = now[name]
    now = ON.get(path, now)
    if path in OTHER:
        return OTHER[path]
    if isinstance(now, bool):
        return not now
    if isinstance(now, int):
        return now + 1
    return ["other"] if now is None else "other"


def rendered(cluster: Cluster, values: Json) -> str:
    options = [option for path, value in values.items() for option in ("--set-json", f"{path}={json.dumps(value)}")]
    return cluster.run("helm", "template", RELEASE, str(CHART), "--kube-version", "v1.34.0", *options)


@pytest.fixture(scope="module")
def with_all_on(cluster: Cluster) -> str:
    return rendered(cluster, ON)


@pytest.mark.parametrize("path", leaves(VALUES))
def test_another_value_makes_another_chart(cluster: Cluster, with_all_on: str, path: str) -> None:
    assert rendered(cluster, ON | {path: other(path)}) != with_all_on
