"""A store that is slow, answers 503 and goes away, twice, while one job runs: all that costs is time."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

import s3_proxy
from cluster_manifests import with_change
from cluster_store import attempts
from cluster_witness import assert_complete_and_at_rest, second_moves, two_passes
from cluster_workspace import CHAIN_SECONDS, Workspace
from s3_proxy import Harm, Proxy, Request
from tcp_proxy import no_delay

SEED = 8
STEPS = 1500
SAVE_STEPS = 250
SHARE = 0.2
"""Of the requests that are answered with 503."""
AWAY_SECONDS = 20

pytestmark = [pytest.mark.faults, pytest.mark.minutes(1.3)]


@dataclass
class Outage:
    """Begins with a request, which it already meets, and then lasts a while."""

    begins_with: Callable[[Request], bool]
    ends_at: float | None = None
    """By the monotonic clock; None before it has begun."""

    def __call__(self, request: Request) -> bool:
        if self.ends_at is None and self.begins_with(request):
            self.ends_at = time.monotonic() + AWAY_SECONDS
        return self.ends_at is not None and time.monotonic() < self.ends_at


@dataclass(frozen=True)
class Server:
    endpoint: str


@pytest.fixture
def proxy(workspace: Workspace) -> Iterator[Proxy]:
    here = workspace.cluster.environment
    with s3_proxy.proxied(Server(here["S3_ENDPOINT"]), here["HOST_IP"]) as proxy:
        yield proxy


def is_checkpoint(request: Request) -> bool:
    return request.method == "PUT" and "/checkpoints/" in request.path


def is_commit(request: Request) -> bool:
    return request.method == "PUT" and request.path.endswith("/manifest.json") and not is_checkpoint(request)


def test_a_store_that_is_slow_answers_503_and_goes_away_costs_a_job_nothing_but_time(
    workspace: Workspace, proxy: Proxy
) -> None:
    """Slow until the first pass is committed; then 503 now and then; away at a checkpoint, and at the second commit."""
    chance = random.Random(SEED)
    through = replace(workspace, endpoint=proxy.endpoint)
    spec = with_change(two_passes(through, "patient", STEPS), "passes.1.lora.training.saveSteps", SAVE_STEPS)

    proxy.delay_seconds = lambda: chance.uniform(0.1, 0.4)
    through.apply("patient", spec)
    through.status_when("patient", second_moves, CHAIN_SECONDS, "its second pass moved")
    proxy.delay_seconds = no_delay

    away = [proxy.harm(Harm.GONE, Outage(begins)) for begins in (is_checkpoint, is_commit)]
    unavailable = proxy.harm(Harm.UNAVAILABLE, lambda _: chance.random() < SHARE)
    status = assert_complete_and_at_rest(workspace, "patient")

    assert all(fault.met for fault in (*away, unavailable))
    assert [step["attempts"] for step in status["passes"]] == [1, 1]
    assert [len(pods) for pods in attempts(workspace, status).values()] == [1, 1]
