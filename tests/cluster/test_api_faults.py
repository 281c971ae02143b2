"""An API server that is away or slow, and watches that are cut or silent: a job ends as if nothing had been."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import cluster_operator as operator
from cluster_access import Cluster
from cluster_setup import hack
from cluster_witness import assert_complete_and_at_rest, second_moves, two_passes
from cluster_workspace import CHAIN_SECONDS, Workspace, in_phase
from tcp_proxy import TcpProxy, no_delay

SEED = 8
STEPS = 800
AWAY_STEPS = 4 * STEPS
AWAY_SECONDS = 60
SILENCE_SECONDS = 100
"""After which a silent watch is noticed: the API server says something once a minute."""
API_SERVER = "kube-apiserver"

pytestmark = [pytest.mark.disruptive, pytest.mark.faults, pytest.mark.minutes(5.3)]


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[TcpProxy]:
    """What the operator reaches the API server through; it must rely on its watches, since it looks at all seldom."""
    with operator.behind_a_proxy(cluster, FINETUNE_RESYNC_SECONDS="3600") as found:
        yield found


def run_until_it_moves(workspace: Workspace, name: str, steps: int) -> None:
    workspace.apply(name, two_passes(workspace, name, steps))
    workspace.status_when(name, second_moves, CHAIN_SECONDS, "its second pass moved")


def test_api_server_away_for_a_minute(workspace: Workspace) -> None:
    run_until_it_moves(workspace, "away", AWAY_STEPS)
    containers = operator.container_ids(workspace.cluster)
    hack("cluster", "kill", API_SERVER, "--name", workspace.cluster.name)
    time.sleep(AWAY_SECONDS)
    hack("cluster", "restart", API_SERVER, "--name", workspace.cluster.name)
    assert_complete_and_at_rest(workspace, "away")
    assert set(operator.container_ids(workspace.cluster)) <= set(containers), "the operator did not wait, it ended"


def test_slow_api_server(workspace: Workspace, proxy: TcpProxy) -> None:
    """A second and more from question to answer: now and then a lease is not renewed, and nobody leads."""
    chance = random.Random(SEED)
    with slowed(proxy, lambda: chance.uniform(0.1, 1)):
        workspace.apply("slow", two_passes(workspace, "slow", STEPS))
        assert_complete_and_at_rest(workspace, "slow")


def test_watches_cut_every_few_seconds(workspace: Workspace, proxy: TcpProxy) -> None:
    with cut_again_and_again(proxy, random.Random(SEED)) as cuts:
        run_until_it_moves(workspace, "cut", STEPS)
        assert_complete_and_at_rest(workspace, "cut")
    assert sum(cuts) > len(cuts) > 1


def test_watches_that_go_silent_are_begun_anew(workspace: Workspace, proxy: TcpProxy) -> None:
    """Nobody ends their connections, as where a firewall has forgotten them."""
    run_until_it_moves(workspace, "silent", STEPS)
    containers = operator.container_ids(workspace.cluster)
    assert proxy.silence()
    workspace.apply("unheard", two_passes(workspace, "unheard", STEPS) | {"suspend": True})
    workspace.status_when("unheard", in_phase("Suspended"), SILENCE_SECONDS, "the operator heard of it")
    assert_complete_and_at_rest(workspace, "silent")
    assert operator.container_ids(workspace.cluster) == containers, "the operator was started anew"


@contextmanager
def slowed(proxy: TcpProxy, delay_seconds: Callable[[], float]) -> Iterator[None]:
    proxy.delay_seconds = delay_seconds
    try:
        yield
    finally:
        proxy.delay_seconds = no_delay


@contextmanager
def cut_again_and_again(proxy: TcpProxy, chance: random.Random) -> Iterator[list[int]]:
    """How many connections each cut has closed."""
    cuts: list[int] = []
    enough = threading.Event()

    def cut() -> None:
        while not enough.wait(chance.uniform(1, 4)):
            cuts.append(proxy.cut())

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        yield cuts
    finally:
        enough.set()
        cutting.join()
