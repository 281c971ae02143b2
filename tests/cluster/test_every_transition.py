"""SIGKILL of the operator as a job gets into a state, for each on its way, as the state machine has them."""

from typing import Any

import pytest

import cluster_manifests as manifests
import cluster_operator as operator
import journey
from cluster_access import Cluster, watch
from cluster_manifests import with_change
from cluster_witness import assert_complete_and_at_rest
from cluster_workspace import CHAIN_SECONDS, Workspace
from journey import FIRST, RUNNING, SECOND, SUSPENDED, State

Json = dict[str, Any]
LONG_STEPS = 800
"""Some seconds of training: it is suspended meanwhile."""
STATES = journey.states()
NAMES = ["-".join(filter(None, (f"at-{phase.lower()}", step))) for phase, step in STATES]

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def _operator_without_crashes(cluster: Cluster) -> None:
    """The kubelet delays restarts of a container that crashed before."""
    operator.renew(cluster)


def two_stages(workspace: Workspace, name: str) -> Json:
    """That share no work with another job of this file."""
    passes = [manifests.lora(FIRST, LONG_STEPS, system="one"), manifests.lora(SECOND, 2, input="base", system="two")]
    seeded = [with_change(step, "lora.training.seed", NAMES.index(name)) for step in passes]
    return workspace.spec(name, seeded, [manifests.system("one"), manifests.system("two")])


def state_of(status: Json) -> State:
    return status.get("phase", ""), status.get("currentPass", "")


@pytest.mark.parametrize(("fatal", "name"), zip(STATES, NAMES, strict=True), ids=NAMES)
def test_killed_as_a_job_gets_into_a_state_the_operator_goes_on(workspace: Workspace, fatal: State, name: str) -> None:
    workspace.apply(name, two_stages(workspace, name))
    seen: list[State] = []
    for status in watch(workspace.cluster, "-n", workspace.namespace, "ftj", name, seconds=CHAIN_SECONDS):
        state = state_of(status)
        if state == fatal and state not in seen:
            operator.kill(workspace.cluster)
        if state in (RUNNING, SUSPENDED) and state not in seen:
            suspend = "true" if state == RUNNING else "false"
            workspace.kubectl("patch", "ftj", name, "--type=merge", "-p", f'{{"spec":{{"suspend":{suspend}}}}}')
        seen.append(state)
        if state == STATES[-1]:
            break
    assert set(STATES) <= set(seen)
    assert_complete_and_at_rest(workspace, name)
