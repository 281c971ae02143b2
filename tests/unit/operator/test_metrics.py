"""What the operator tells Prometheus: how jobs stand now, and what it has counted."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from api_specs import wire_spec
from finetune_api.failures import Reason
from finetune_operator.conditions import timestamp
from finetune_operator.leadership import Leadership
from finetune_operator.metrics.change import Wait, change
from finetune_operator.metrics.gauges import job_gauges
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.metrics.jobs import JobBook
from finetune_operator.metrics.standing import Standing
from finetune_operator.resync import enqueue_unfinished
from finetune_operator.work_queue import WorkQueue
from job_life import JobLife
from operator_world import World
from simulated_api import KEY

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SECONDS = "finetune_operator_accelerator_seconds_total"


def wire(name: str, phase: str = "", waits: tuple[str, int] | None = None, namespace: str = "team") -> dict[str, Any]:
    """waits: for what, and for how many seconds."""
    since = {"reason": waits[0], "since": timestamp(NOW - timedelta(seconds=waits[1]))} if waits else None
    status = {"phase": phase} | ({"waiting": since} if since else {})
    return {"metadata": {"namespace": namespace, "name": name}, "status": status}


def book_of(*jobs: dict[str, Any]) -> JobBook:
    book = JobBook()
    for job in jobs:
        book.see(job)
    return book


def told(book: JobBook) -> dict[str, dict[tuple[str, ...], float]]:
    """Value by labels, by the figure's name."""
    families = job_gauges(book.all(), NOW)
    return {f.name: {tuple(s.labels.values()): s.value for s in f.samples if s.value} for f in families}


def test_jobs_are_counted_by_namespace_and_phase_and_one_not_yet_seen_to_is_pending() -> None:
    book = book_of(wire("a", "Running"), wire("b", "Running"), wire("c"), wire("a", "Failed", namespace="other"))
    assert told(book)["finetune_operator_jobs"] == {
        ("team", "Running"): 2,
        ("team", "Pending"): 1,
        ("other", "Failed"): 1,
    }


def test_a_phase_that_no_job_is_in_is_a_zero_where_the_namespace_has_jobs() -> None:
    family = next(iter(job_gauges(book_of(wire("a", "Running")).all(), NOW)))
    assert {s.labels["phase"]: s.value for s in family.samples} == {
        "Pending": 0, "Preparing": 0, "Running": 1, "Waiting": 0, "Suspended": 0, "Complete": 0, "Failed": 0,
    }  # fmt: skip


def test_a_phase_of_another_version_is_told_by_its_own_name() -> None:
    assert told(book_of(wire("a", "Abandoned")))["finetune_operator_jobs"] == {("team", "Abandoned"): 1}


def test_what_waits_is_told_by_what_for_and_for_how_long_the_first_has() -> None:
    queued = [wire("a", "Waiting", ("Queued", 30)), wire("b", "Waiting", ("Queued", 600))]
    figures = told(book_of(*queued, wire("c", "Waiting", ("ImagePullFailed", 5)), wire("d", "Running")))
    assert figures["finetune_operator_waiting_jobs"] == {("team", "Queued"): 2, ("team", "ImagePullFailed"): 1}
    assert figures["finetune_operator_longest_wait_seconds"] == {
        ("team", "Queued"): 600,
        ("team", "ImagePullFailed"): 5,
    }


def test_a_deleted_job_is_not_counted_whether_its_deletion_was_heard_of_or_not() -> None:
    book = book_of(wire("heard", "Running"), wire("missed", "Running"), wire("stays", "Running"))
    book.forget(wire("heard"))
    book.replace(book_of(wire("stays", "Complete")))
    assert told(book)["finetune_operator_jobs"] == {("team", "Complete"): 1}


def test_resync_lists_all_jobs_also_those_that_have_ended() -> None:
    class Listing:
        async def list_fine_tune_jobs(self, namespace: str | None) -> AsyncIterator[dict[str, Any]]:
            yield wire("ended", "Complete", namespace=namespace or "")

    metrics = Metrics()
    metrics.jobs.see(wire("gone", "Running"))
    asyncio.run(enqueue_unfinished(Listing(), WorkQueue(), metrics, ("a", "b")))
    assert told(metrics.jobs)["finetune_operator_jobs"] == {("a", "Complete"): 1, ("b", "Complete"): 1}
    assert metrics.registry.get_sample_value("finetune_operator_last_resync_timestamp_seconds") > 1.7e9


def test_only_the_operator_that_leads_tells_of_jobs() -> None:
    leadership, metrics = Leadership(), Metrics()
    metrics.jobs.see(wire("a", "Running"))
    metrics.registry.register(Standing(leadership, metrics.jobs, lambda: 3, lambda: NOW))
    running = {"namespace": "team", "phase": "Running"}
    for leads in (0, 1):
        assert metrics.registry.get_sample_value("finetune_operator_leads") == leads
        assert metrics.registry.get_sample_value("finetune_operator_jobs", running) == (1 if leads else None)
        assert metrics.registry.get_sample_value("finetune_operator_queued_keys") == (3 if leads else None)
        leadership._leads.set()


def test_accelerator_seconds_are_counted_once_whichever_operator_wrote_them() -> None:
    """Each is killed in the middle of a round; the counters of all add up to what status says."""
    for calls, writers in ((5, 1), (6, 2)):  # before the status write, and after it
        life = JobLife(wire_spec())
        operators = [life.operator]
        while not life.api.status.terminal:
            for _ in range(5):
                life.go_on()
            life.api.later(3)
            for _ in range(calls):
                life.operator.step()
            life.kill_operator()
            operators.append(life.operator)
        counted = [o.metrics.registry.get_sample_value(SECONDS, {"namespace": KEY[0]}) or 0 for o in operators]
        assert sum(counted) == life.api.status.accelerator_seconds
        assert len([seconds for seconds in counted if seconds]) == writers


def test_a_completed_job_is_counted_once() -> None:
    life = JobLife(wire_spec())
    life.live_on()
    life.round()
    registry = life.operator.metrics.registry
    assert registry.get_sample_value("finetune_operator_jobs_completed_total") == 1
    assert registry.get_sample_value("finetune_operator_pod_restarts_total") == 0


def test_every_reason_to_fail_is_counted_from_nothing_on() -> None:
    registry = Metrics().registry
    counts = {r: registry.get_sample_value("finetune_operator_jobs_failed_total", {"reason": r}) for r in Reason}
    assert set(counts.values()) == {0}


def test_a_failed_job_counts_once_by_its_reason() -> None:
    world = World().prepared()
    before = world.status
    world.fail_job(16)
    world.round()
    assert change(before, world.status, world.now).failure == "NaNLoss"
    assert change(world.status, world.status, world.now).failure == ""


def test_a_pod_that_replaces_another_counts_once_however_many_passes_it_runs() -> None:
    world = World(spec=wire_spec(systems=[{"name": "gpu"}, {"name": "cpu"}])).prepared()
    counted = []
    for _ in range(3):
        before = world.status
        pod = world.start_pod(world.only)
        world.round()
        counted.append(change(before, world.status, world.now).restarts)
        world.end_pod(pod, 143)
    assert counted == [0, 1, 1]


def test_a_wait_is_told_when_it_is_over() -> None:
    world = World().prepared()
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
    pod = world.start_pod(world.only, running=False, conditions=[waits])
    world.round()
    before = world.status
    world.later(90)
    world.round()
    assert change(before, world.status, world.now).wait is None
    del world.pods[pod]
    world.start_pod(world.only)
    world.round()
    assert change(before, world.status, world.now).wait == Wait("Unschedulable", 90)


def served() -> set[str]:
    """Names of the operator's figures as Prometheus has them; those of a histogram as one."""
    metrics, leadership = Metrics(), Leadership()
    leadership._leads.set()
    metrics.registry.register(Standing(leadership, metrics.jobs, lambda: 0, lambda: NOW))
    families = [family for family in metrics.registry.collect() if family.name.startswith("finetune_operator_")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def test_the_guide_lists_every_figure_and_its_alerts_ask_for_no_other() -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    table = text.partition("| figure |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert {f"finetune_operator_{name}" for cell in cells for name in re.findall(r"`(\w+)`", cell)} == served()
    (group,) = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"finetune_operator_\w+", rule["expr"])}
    assert len(asked) >= 6
    assert asked <= served()
    reasons = {reason for rule in group["rules"] for reason in re.findall(r"[A-Z]\w+", rule["expr"])}
    documented = (Path(__file__).parents[3] / "docs" / "failures.md").read_text()
    assert len(reasons) > 10
    assert reasons - set(re.findall(r"\w+", documented)) == set()
