"""Fifty running jobs, under which the leader of two operators dies, or the chart is upgraded and rolled back.

Another leads, and nothing is lost or made twice.

Three of the jobs run in pods of their own; the others' pods are on a node that kwok simulates, and end as the test
says.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

import cluster_kwok as kwok
import cluster_manifests as manifests
import cluster_operator as operator
from cluster_access import Cluster, until
from cluster_setup import CHART, OPERATOR_NAMESPACE, RELEASE
from cluster_store import attempts
from cluster_workspace import CHAIN_SECONDS, JOB_LABEL, STAGE_LABEL, Workspace
from runner_words import message

Json = dict[str, Any]
REAL = ("real-0", "real-1", "real-2")
SIMULATED = tuple(f"simulated-{number:02}" for number in range(47))
ALL = SIMULATED + REAL
UNSEEN, SEEN = SIMULATED[:20], SIMULATED[20:]
"""Those whose stages end while nobody leads, and the others."""
STEPS = 200
SIMULATED_RUN_SECONDS = 240
CAUGHT_UP_SECONDS = 120

pytestmark = [pytest.mark.faults, pytest.mark.minutes(3.2)]
logger = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def _two_operators_and_a_simulated_node(cluster: Cluster, workspace: Workspace) -> Iterator[None]:
    with operator.two_replicas(cluster), kwok.kwok_node(workspace):
        yield


def real(workspace: Workspace, name: str, first_seed: int) -> Json:
    tune = manifests.lora(max_steps=STEPS)
    tune["lora"]["training"]["seed"] = first_seed + REAL.index(name)
    return manifests.job(name, workspace.spec(f"{name}-{first_seed}", [tune]))


def simulated(workspace: Workspace, name: str) -> Json:
    spec = workspace.spec(name, [manifests.lora()], [kwok.system("simulated")])
    return manifests.job(name, spec | {"prepare": {"system": "simulated"}})


def apply(workspace: Workspace, jobs: list[Json]) -> None:
    workspace.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(jobs))


def elsewhere(workspace: Workspace, names: tuple[str, ...], phase: str) -> dict[str, str]:
    """Those of the jobs that are in another phase, with the one they are in."""
    found = {job["metadata"]["name"]: job.get("status", {}).get("phase", "") for job in workspace.get("ftj")["items"]}
    return {name: found[name] for name in names if found[name] != phase}


def wait_for(workspace: Workspace, names: tuple[str, ...], phase: str, seconds: float) -> None:
    def left() -> dict[str, str]:
        return elsewhere(workspace, names, phase)

    until(lambda: not left(), seconds, f"{len(names)} jobs are {phase}", left)


def children(workspace: Workspace) -> set[str]:
    """UIDs of all Jobs."""
    return {job["metadata"]["uid"] for job in workspace.get("jobs")["items"]}


def simulated_run(workspace: Workspace) -> bool:
    """A job says Running when it is prepared: its stage's pod may still have to start."""
    kwok.end(workspace, f"!{STAGE_LABEL}", message("prepare", set(), passes=1))
    return not elsewhere(workspace, SIMULATED, "Running") and stages_run(workspace) == len(SIMULATED)


def stages_run(workspace: Workspace) -> int:
    return len(kwok.running(workspace, STAGE_LABEL))


def end_stages(workspace: Workspace, names: tuple[str, ...]) -> None:
    """Returns once their pods have ended."""
    stages = f"{STAGE_LABEL},{JOB_LABEL} in ({','.join(names)})"
    kwok.end(workspace, stages, message("stage", {0}, passes=1, published=True))
    workspace.kubectl("wait", "pods", "-l", stages, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")


def fifty_run(workspace: Workspace, first_seed: int) -> set[str]:
    """UIDs of their Jobs once all of them run; first_seed: of the real ones, whose outputs no other test has made."""
    apply(workspace, [simulated(workspace, name) for name in SIMULATED])
    until(lambda: simulated_run(workspace), SIMULATED_RUN_SECONDS, "all simulated jobs run")
    apply(workspace, [real(workspace, name, first_seed) for name in REAL])
    wait_for(workspace, ALL, "Running", CHAIN_SECONDS)
    found = children(workspace)
    assert len(found) == 2 * len(ALL)
    return found


def assert_made_once(workspace: Workspace, begun: set[str]) -> None:
    """That all end well in the Jobs that were there when they ran, each real pass by one pod."""
    wait_for(workspace, ALL, "Complete", CHAIN_SECONDS)
    assert children(workspace) == begun
    for name in REAL:
        status = workspace.status(name)
        assert [step["attempts"] for step in status["passes"]] == [1]
        assert [len(tries) for tries in attempts(workspace, status).values()] == [1]


def test_the_leader_dies_under_fifty_running_jobs(cluster: Cluster, workspace: Workspace) -> None:
    before = fifty_run(workspace, first_seed=0)

    dead = operator.leader(cluster)
    died = operator.crash_for_good(cluster, dead)
    end_stages(workspace, UNSEEN)
    assert operator.leader(cluster) == dead, "another led before anything could go unseen"
    until(lambda: operator.leader(cluster) not in ("", dead), operator.TAKE_OVER_SECONDS, "another leads")
    led = operator.led_since(cluster) - died
    assert led < timedelta(seconds=operator.TAKE_OVER_SECONDS)
    wait_for(workspace, UNSEEN, "Complete", CAUGHT_UP_SECONDS)
    logger.info("after %s another leads, after %s all that ended is seen", led, datetime.now(UTC) - died)

    end_stages(workspace, SEEN)
    assert_made_once(workspace, before)


def test_the_chart_is_upgraded_and_rolled_back_under_fifty_running_jobs(cluster: Cluster, workspace: Workspace) -> None:
    """Stages end while operators come and go."""
    before, helm = fifty_run(workspace, first_seed=100), ("helm", "-n", OPERATOR_NAMESPACE)
    within = ("--wait", "--timeout", "300s")
    old = operator.pods(cluster)
    with ThreadPoolExecutor() as meanwhile:
        ended = meanwhile.submit(end_stages, workspace, UNSEEN)
        changed = ("--reuse-values", "--set", "replicas=2,podAnnotations.upgraded=yes")
        cluster.run(*helm, "upgrade", RELEASE, str(CHART), *changed, *within)
        ended.result()
    until(lambda: operator.leader(cluster) in operator.pods(cluster), operator.READY_SECONDS, "a new one leads")
    assert set(operator.pods(cluster)).isdisjoint(old)
    wait_for(workspace, UNSEEN, "Complete", CAUGHT_UP_SECONDS)

    with ThreadPoolExecutor() as meanwhile:
        ended = meanwhile.submit(end_stages, workspace, SEEN)
        cluster.run(*helm, "rollback", RELEASE, *within)
        ended.result()
    until(lambda: operator.leader(cluster) in operator.pods(cluster), operator.READY_SECONDS, "one leads again")
    assert_made_once(workspace, before)
