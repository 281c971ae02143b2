"""The chart as helm reads it."""

import json
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cluster_access import Cluster
from cluster_setup import CHART, OPERATOR_NAMESPACE, RELEASE, add_program
from finetune_api.pod_layout import HUB_CACHE_ENV
from finetune_operator.labels import of_job
from finetune_operator.settings import Settings

Json = dict[str, Any]
DIGEST = "sha256:" + "0" * 64
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""From the oldest that the chart takes to the newest whose schemas there are."""
ALL_OF_IT = {
    "replicas": "2",
    "policy": '{"enabled":true,"accelerators":{"nvidia.com/gpu":2},"secrets":["s3"]}',
    "networkPolicy": '{"enabled":true,"namespaces":["team-a"]}',
    "priorityClassName": '"system-cluster-critical"',
    "tolerations": '[{"key":"infra","operator":"Exists"}]',
    "imagePullSecrets": '[{"name":"pull"}]',
    "extraEnv": '[{"name":"A","value":"b"}]',
    "extraVolumes": '[{"name":"ca","configMap":{"name":"ca"}}]',
    "extraVolumeMounts": '[{"name":"ca","mountPath":"/ca"}]',
    "kueue": '{"enabled":true}',
}
"""Values by which the chart renders all kinds of objects that are Kubernetes' own."""
MEANT = (
    "--ignore-container-cpu-limit",  # a limit would slow it down and free nothing: what it asks for is a twentieth
    "--ignore-test=container-image-pull-policy",  # image.pullPolicy says which
    "--ignore-test=pod-probes-identical",  # one that does not lead is ready too: it is what takes over
    "--ignore-test=deployment-has-host-podantiaffinity",  # topologySpreadConstraints do the same
)
"""Where the chart is otherwise than kube-score would have it."""


def render(cluster: Cluster, *changes: str, json_values: dict[str, str] | None = None, version: str = "") -> list[Json]:
    """The objects that `helm template --set … --set-json …` renders for a version, or the cluster's own."""
    options = [option for change in changes for option in ("--set", change)]
    options += [option for name, value in (json_values or {}).items() for option in ("--set-json", f"{name}={value}")]
    place = ("--namespace", OPERATOR_NAMESPACE, "--kube-version", version or _version(cluster))
    text = cluster.run("helm", "template", RELEASE, str(CHART), *place, *options)
    return [document for document in yaml.safe_load_all(text) if document]


def _version(cluster: Cluster) -> str:
    return json.loads(cluster.kubectl("get", "--raw", "/version"))["gitVersion"]


def of_kind(documents: list[Json], kind: str) -> list[Json]:
    return [document for document in documents if document["kind"] == kind]


def environment(documents: list[Json]) -> dict[str, str]:
    (deployment,) = of_kind(documents, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value", "from the pod") for variable in container["env"]}


def test_helm_finds_nothing_to_say_against_it(cluster: Cluster) -> None:
    assert "0 chart(s) failed" in cluster.run("helm", "lint", "--strict", str(CHART))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [{}, ALL_OF_IT], ids=["by default", "with all of it"])
def test_what_is_rendered_keeps_to_the_schemas_of_each_kubernetes(
    cluster: Cluster, version: str, values: dict[str, str]
) -> None:
    """Strictly: a field that a version does not have is refused."""
    rendered = render(cluster, json_values=values, version=f"v{version}.0")
    assert {document["kind"] for document in rendered} >= {"Deployment", "ClusterRole", "CustomResourceDefinition"}
    for document in rendered:
        kubernetes_validate.validate(document, version, strict=True)


def test_kube_score_finds_nothing_that_is_not_meant(cluster: Cluster) -> None:
    """https://github.com/zegl/kube-score."""
    add_program(cluster, "kube-score")
    rendered = yaml.safe_dump_all(render(cluster, "replicas=2", "networkPolicy.enabled=true"))
    done = cluster.attempt("kube-score", "score", "--output-format=ci", *MEANT, "-", stdin=rendered)
    worse = [line for line in done.stdout.splitlines() if line.startswith(("[WARNING]", "[CRITICAL]"))]
    assert (worse, done.returncode) == ([], 0), done.stderr


def test_the_operator_understands_every_variable_it_is_given(cluster: Cluster) -> None:
    store = ("defaultStore.s3.uri=s3://models/store", "defaultStore.s3.credentialsSecretRef.name=s3")
    settings = Settings.from_environment(environment(render(cluster, "watchNamespaces={team-a,team-b}", *store)))
    assert settings.watch_namespaces == ("team-a", "team-b")
    assert settings.default_store is not None
    assert settings.default_store.to_wire()["s3"]["uri"] == "s3://models/store"
    assert (settings.resync_seconds, settings.workers) == (60, 8)


def test_the_operator_understands_what_every_job_gets(cluster: Cluster) -> None:
    given = '{"env":[{"name":"HTTPS_PROXY","value":"http://proxy.example.com:3128"}],"nodeSelector":{"pool":"ml"}}'
    settings = Settings.from_environment(environment(render(cluster, json_values={"defaultSystem": given})))
    assert settings.default_system is not None
    assert settings.default_system.env[0].value == "http://proxy.example.com:3128"
    assert settings.default_system.node_selector == {"pool": "ml"}


def test_the_model_cache_is_mounted_into_every_jobs_pods_beside_what_else_they_get(cluster: Cluster) -> None:
    given = {"defaultSystem": '{"env":[{"name":"HTTPS_PROXY","value":"http://proxy.example.com:3128"}]}'}
    settings = Settings.from_environment(environment(render(cluster, "modelCache.claimName=models", json_values=given)))
    assert settings.default_system is not None
    (volume,) = settings.default_system.volumes
    assert volume.persistent_volume_claim is not None
    assert (volume.persistent_volume_claim.claim_name, volume.read_only) == ("models", False)
    variables = {variable.name: variable.value for variable in settings.default_system.env}
    assert variables == {"HTTPS_PROXY": "http://proxy.example.com:3128", HUB_CACHE_ENV: volume.mount_path}


def test_a_model_cache_is_not_said_twice(cluster: Cluster) -> None:
    twice = ("modelCache.claimName=models", f"defaultSystem.env[0].name={HUB_CACHE_ENV}")
    done = cluster.attempt("helm", "lint", "--strict", str(CHART), *(o for v in twice for o in ("--set", v)))
    assert "defaultSystem.env has HF_HUB_CACHE, which modelCache sets" in done.stdout + done.stderr


def test_without_a_default_store_there_is_none(cluster: Cluster) -> None:
    assert Settings.from_environment(environment(render(cluster))).default_store is None


def test_named_namespaces_get_a_role_each_and_nothing_holds_in_others(cluster: Cluster) -> None:
    documents = render(cluster, "watchNamespaces={team-a,team-b}")
    roles = [role["metadata"]["namespace"] for role in of_kind(documents, "Role")]
    assert roles == ["team-a", "team-b", OPERATOR_NAMESPACE]  # the last for the Lease alone
    names = {role["metadata"]["name"] for role in of_kind(documents, "ClusterRole")}
    assert names == {f"{RELEASE}-view", f"{RELEASE}-edit"}  # what people may do, not the operator
    assert of_kind(render(cluster, "watchNamespaces={team-a}", "rbac.aggregate=false"), "ClusterRole") == []


def test_a_digest_wins_over_a_tag(cluster: Cluster) -> None:
    variables = environment(render(cluster, "image.runner.tag=v1", f"image.runner.digest={DIGEST}"))
    assert variables["FINETUNE_RUNNER_IMAGE"] == f"finetune-runner@{DIGEST}"


def test_where_artifacts_for_cuda_are_run_there_is_an_image_of_its_own(cluster: Cluster) -> None:
    variables = environment(render(cluster))
    assert variables["FINETUNE_RUNNER_CUDA_IMAGE"] == variables["FINETUNE_RUNNER_IMAGE"].replace(
        "runner", "runner-cuda"
    )
    variables = environment(render(cluster, "image.runnerCuda.reference=registry.example.com/cuda:1"))
    assert variables["FINETUNE_RUNNER_CUDA_IMAGE"] == "registry.example.com/cuda:1"


def test_uninstalling_keeps_the_definition_unless_told_otherwise(cluster: Cluster) -> None:
    (kept,) = of_kind(render(cluster), "CustomResourceDefinition")
    (dropped,) = of_kind(render(cluster, "crds.keep=false"), "CustomResourceDefinition")
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in dropped["metadata"]
    assert kept["spec"] == dropped["spec"]


def test_an_operator_goes_once_the_next_is_ready(cluster: Cluster) -> None:
    """Nor does the strategy depend on how many there are: a rollback from several to one would stand still."""
    for replicas in (1, 2):
        (deployment,) = of_kind(render(cluster, f"replicas={replicas}"), "Deployment")
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        assert deployment["spec"]["strategy"] == strategy


def test_several_operators_are_evicted_one_by_one_unless_told_otherwise(cluster: Cluster) -> None:
    several, alone = render(cluster, "replicas=2"), render(cluster)
    three = render(cluster, "replicas=3", "podDisruptionBudget.maxUnavailable=50%")
    assert [d["spec"]["maxUnavailable"] for d in of_kind(several, "PodDisruptionBudget")] == [1]
    assert [d["spec"]["maxUnavailable"] for d in of_kind(three, "PodDisruptionBudget")] == ["50%"]
    assert of_kind(alone, "PodDisruptionBudget") == []


def spread(documents: list[Json]) -> list[Json]:
    (deployment,) = of_kind(documents, "Deployment")
    return deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [])


def test_several_operators_go_to_different_nodes_unless_told_otherwise(cluster: Cluster) -> None:
    (several,) = spread(render(cluster, "replicas=2"))
    assert (several["topologyKey"], several["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    zones = '[{"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"DoNotSchedule"}]'
    (told,) = spread(render(cluster, "replicas=2", json_values={"topologySpreadConstraints": zones}))
    assert told["topologyKey"] == "topology.kubernetes.io/zone"
    assert spread(render(cluster)) == []


@pytest.mark.parametrize("change", ["replicas=0", "image.runner.digest=latest", "logLevel=loud", "workers=0"])
def test_a_value_that_makes_no_sense_is_refused(cluster: Cluster, change: str) -> None:
    done = cluster.attempt("helm", "lint", "--strict", str(CHART), "--set", change)
    assert done.returncode != 0
    assert change.partition("=")[0].rpartition(".")[2] in done.stdout + done.stderr


def test_network_policies_are_as_the_api_server_takes_them(cluster: Cluster) -> None:
    """What they let through is the network's part, and that of the tests' cluster enforces none."""
    egress = ("networkPolicy.egress[0].to[0].ipBlock.cidr=10.1.0.0/16", "networkPolicy.egress[0].ports[0].port=443")
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    lists = {
        "networkPolicy.metricsFrom": json.dumps([prometheus]),
        "networkPolicy.dnsPorts": "[53,5353]",
        "networkPolicy.ingress": '[{"from":[{"namespaceSelector":{}}],"ports":[{"port":8080}]}]',
    }
    changes = ("networkPolicy.enabled=true", "networkPolicy.namespaces={default}", *egress)
    documents = render(cluster, *changes, json_values=lists)
    operator, jobs = policies = of_kind(documents, "NetworkPolicy")
    assert (operator["metadata"]["namespace"], jobs["metadata"]["namespace"]) == (OPERATOR_NAMESPACE, "default")
    assert operator["spec"]["ingress"] == [{"from": [prometheus], "ports": [{"port": 8080, "protocol": "TCP"}]}]
    assert [rule["ports"][0]["port"] for rule in jobs["spec"]["ingress"]] == [8080, 8080]
    assert jobs["spec"]["ingress"][1]["from"] == [{"namespaceSelector": {}}]
    asked = [(port["port"], port["protocol"]) for port in jobs["spec"]["egress"][0]["ports"]]
    assert asked == [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")]
    anywhere = [peer["ipBlock"]["cidr"] for peer in operator["spec"]["egress"][1]["to"]]
    assert anywhere == ["0.0.0.0/0", "::/0"]
    assert jobs["spec"]["egress"][1:] == [
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 443}]},
    ]
    said = cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(policies))
    assert said.count("(server dry run)") == 2


def test_nobody_asks_the_operator_unless_it_is_named(cluster: Cluster) -> None:
    (operator,) = of_kind(render(cluster, "networkPolicy.enabled=true"), "NetworkPolicy")
    assert operator["spec"]["ingress"] == []


def test_a_pod_monitor_is_made_on_request_alone_and_finds_the_port(cluster: Cluster) -> None:
    """What the Prometheus Operator makes of it is tried in test_monitoring.py."""
    asked = ("metrics.podMonitor.enabled=true", "metrics.podMonitor.labels.release=prometheus", "metrics.port=9090")
    documents = render(cluster, *asked)
    (monitor,), (deployment,) = of_kind(documents, "PodMonitor"), of_kind(documents, "Deployment")
    pod = deployment["spec"]["template"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    assert (ports[endpoint["port"]], environment(documents)["FINETUNE_METRICS_PORT"]) == (9090, "9090")
    assert of_kind(render(cluster), "PodMonitor") == []


def test_another_pod_monitor_finds_the_stages_pods_in_the_namespaces_that_are_served(cluster: Cluster) -> None:
    asked = ("metrics.podMonitor.enabled=true", "metrics.podMonitor.jobs=true")
    _, everywhere = of_kind(render(cluster, *asked), "PodMonitor")
    _, some = of_kind(render(cluster, *asked, "watchNamespaces={team-a,team-b}"), "PodMonitor")
    selected = everywhere["spec"]["selector"]["matchLabels"].items()
    assert selected <= of_job("tone", "uid", "stage").items()
    assert not selected <= of_job("tone", "uid", "prepare").items()  # they serve nothing
    assert everywhere["spec"]["podMetricsEndpoints"] == [{"port": "progress", "path": "/metrics"}]
    assert everywhere["spec"]["namespaceSelector"] == {"any": True}
    assert some["spec"]["namespaceSelector"] == {"matchNames": ["team-a", "team-b"]}


def test_metrics_can_be_switched_off(cluster: Cluster) -> None:
    documents = render(cluster, "metrics.enabled=false", "metrics.podMonitor.enabled=true")
    assert Settings.from_environment(environment(documents)).metrics_port == 0
    assert of_kind(documents, "PodMonitor") == []
