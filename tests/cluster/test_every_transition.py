"""SIGKILL of the operator as a job gets into a state, for each on its ways, as the state machine has them."""

from collections.abc import Iterator
from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, watch
from cluster_manifests import with_change
from cluster_witness import assert_complete_and_at_rest, assert_failed_and_at_rest
from cluster_workspace import CHAIN_SECONDS, Workspace
from journey import (
    FIRST,
    RUNNING,
    SECOND,
    SUSPENDED,
    TO_A_FAILURE,
    WAITING,
    WAYS,
    WITH_A_SUSPENSION,
    WITH_A_WAIT,
    State,
    Way,
    states,
    states_alone,
)

Json = dict[str, Any]
LONG_STEPS = 800
"""Some seconds of training: it is suspended meanwhile, or late."""
NODE_LABEL = "finetune.test/open-to"

pytestmark = [pytest.mark.faults, pytest.mark.minutes(5)]


def name_at(state: State) -> str:
    phase, step = state
    return "-".join(filter(None, (f"at-{phase.lower()}", step)))


NAMES = [name_at(state) for way in WAYS for state in states_alone(way)]


@pytest.fixture(autouse=True)
def _operator_without_crashes(cluster: Cluster) -> None:
    """The kubelet delays restarts of a container that crashed before."""
    operator.renew(cluster)


@pytest.fixture
def node(cluster: Cluster) -> Iterator[str]:
    """Its name; what a test labels it with goes."""
    name = cluster.environment["NODE_NAME"]
    yield name
    cluster.kubectl("label", "node", name, f"{NODE_LABEL}-")


def at(way: Way) -> pytest.MarkDecorator:
    """Each state that this way adds."""
    return pytest.mark.parametrize("fatal", states_alone(way), ids=name_at)


def two_stages(workspace: Workspace, name: str, first: Json, **system: Any) -> Json:
    """That share no work with another job of this file; the first on a system of its own."""
    passes = [first, manifests.lora(SECOND, 2, input="base", system="two")]
    seeded = [with_change(step, "lora.training.seed", NAMES.index(name)) for step in passes]
    return workspace.spec(name, seeded, [manifests.system("one", **system), manifests.system("two")])


def state_of(status: Json) -> State:
    return status.get("phase", ""), status.get("currentPass", "")


def entered(workspace: Workspace, name: str, way: Way, fatal: State) -> Iterator[State]:
    """Each state as the job gets into it, to the last, those of the way among them; at one the operator is killed."""
    expected, seen = states(way), list[State]()
    for status in watch(workspace.cluster, "-n", workspace.namespace, "ftj", name, seconds=CHAIN_SECONDS):
        state = state_of(status)
        if state not in seen:
            seen.append(state)
            if state == fatal:
                operator.kill(workspace.cluster)
            yield state
        if state == expected[-1]:
            break
    assert set(expected) <= set(seen)


@at(WITH_A_SUSPENSION)
def test_killed_as_a_job_gets_into_a_state_the_operator_goes_on(workspace: Workspace, fatal: State) -> None:
    name = name_at(fatal)
    workspace.apply(name, two_stages(workspace, name, manifests.lora(FIRST, LONG_STEPS, system="one")))
    for state in entered(workspace, name, WITH_A_SUSPENSION, fatal):
        if state in (RUNNING, SUSPENDED):
            suspend = "true" if state == RUNNING else "false"
            workspace.kubectl("patch", "ftj", name, "--type=merge", "-p", f'{{"spec":{{"suspend":{suspend}}}}}')
    assert_complete_and_at_rest(workspace, name)


@at(WITH_A_WAIT)
def test_killed_as_a_job_gets_to_wait_the_operator_goes_on_once_there_is_a_node(
    workspace: Workspace, node: str, fatal: State
) -> None:
    name, only = name_at(fatal), {NODE_LABEL: workspace.namespace}
    workspace.apply(name, two_stages(workspace, name, manifests.lora(FIRST, 2, system="one"), nodeSelector=only))
    for state in entered(workspace, name, WITH_A_WAIT, fatal):
        if state == WAITING:
            assert workspace.status(name)["waiting"]["reason"] == "Unschedulable"
            workspace.cluster.kubectl("label", "node", node, f"{NODE_LABEL}={workspace.namespace}")
    assert_complete_and_at_rest(workspace, name)


@at(TO_A_FAILURE)
def test_killed_as_a_job_fails_the_operator_leaves_it_failed(workspace: Workspace, fatal: State) -> None:
    name = name_at(fatal)
    late = manifests.lora(FIRST, LONG_STEPS, system="one", activeDeadlineSeconds=1)
    workspace.apply(name, two_stages(workspace, name, late))
    assert list(entered(workspace, name, TO_A_FAILURE, fatal))[-1] == fatal
    failure = assert_failed_and_at_rest(workspace, name)
    assert (failure["reason"], failure["pass"]) == ("DeadlineExceeded", FIRST)
    assert len(workspace.stage_pods(name)) == 1
