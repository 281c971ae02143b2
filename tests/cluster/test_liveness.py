"""A watch that can't be begun anew though the API server answers: the kubelet starts the operator anew."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_setup import OPERATOR_LABEL, OPERATOR_NAMESPACE, RELEASE

LATE_SECONDS = 20
"""Instead of ten minutes."""
RESTART_SECONDS = 120
"""A watch's 10, the 20, three probes 10 apart, and the grace of the one that is ended."""

pytestmark = [pytest.mark.disruptive, pytest.mark.faults, pytest.mark.roles_change, pytest.mark.minutes(1.5)]


@pytest.fixture
def impatient(cluster: Cluster) -> Iterator[None]:
    """The operator, to which a watch is dead sooner."""
    with operator.with_environment(cluster, FINETUNE_WATCH_SECONDS=f"{LATE_SECONDS}", FINETUNE_RESYNC_SECONDS="2"):
        yield


@contextmanager
def without_watches_of_pods(cluster: Cluster) -> Iterator[None]:
    """Lists are answered, and a watch of pods is refused from the next one on."""
    rules = cluster.get("clusterrole", RELEASE)["rules"]
    fewer = [rule | {"verbs": [v for v in rule["verbs"] if v != "watch"]} if _of_pods(rule) else rule for rule in rules]
    assert fewer != rules
    _set_rules(cluster, fewer)
    try:
        yield
    finally:
        _set_rules(cluster, rules)


def _of_pods(rule: dict[str, list[str]]) -> bool:
    return "pods" in rule["resources"]


def _set_rules(cluster: Cluster, rules: list[dict[str, list[str]]]) -> None:
    change = [{"op": "replace", "path": "/rules", "value": rules}]
    cluster.kubectl("patch", "clusterrole", RELEASE, "--type=json", "-p", json.dumps(change))


def started_anew(cluster: Cluster) -> bool:
    found = cluster.get("-n", OPERATOR_NAMESPACE, "pods", "-l", OPERATOR_LABEL)["items"]
    return any(status["restartCount"] for pod in found for status in pod["status"].get("containerStatuses", []))


@pytest.mark.usefixtures("impatient")
def test_an_operator_with_a_dead_watch_is_started_anew_by_the_kubelet(cluster: Cluster) -> None:
    until(lambda: operator.leader(cluster) in operator.pods(cluster), operator.READY_SECONDS, "it leads")
    assert not started_anew(cluster)
    with without_watches_of_pods(cluster):
        until(lambda: started_anew(cluster), RESTART_SECONDS, "the kubelet has started it anew")
    (pod,) = operator.pods(cluster)
    assert "the watch of pods was not begun anew for" in operator.kubectl(cluster, "logs", pod, "--previous")
    operator.wait_until_ready(cluster)
