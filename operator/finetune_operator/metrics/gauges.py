"""How the jobs stand, counted. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily

from finetune_api.resource.status import PHASES
from finetune_operator.conditions import moment
from finetune_operator.metrics.jobs import JobFacts

PREFIX = "finetune_operator"


def job_gauges(jobs: Iterable[JobFacts], now: datetime) -> Iterator[GaugeMetricFamily]:
    """By namespace: the jobs in each phase, those that wait for something, and for how long the first of them has."""
    known = list(jobs)
    yield _phases(known)
    waiting = [job for job in known if job.waits_for]
    yield _waiting(waiting)
    yield _longest_wait(waiting, now)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """A figure without labels."""
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value)


def _phases(jobs: list[JobFacts]) -> GaugeMetricFamily:
    """All phases of a namespace that has jobs, also those that no job is in: an alert needs the zero.

    A finished job may be in one that another version of the operator knows.
    """
    family = GaugeMetricFamily(f"{PREFIX}_jobs", "FineTuneJobs, by phase.", labels=["namespace", "phase"])
    found = Counter((job.namespace, job.phase) for job in jobs)
    for namespace in sorted({job.namespace for job in jobs}):
        others = sorted({job.phase for job in jobs if job.namespace == namespace} - set(PHASES))
        for phase in (*PHASES, *others):
            family.add_metric([namespace, phase], found[namespace, phase])
    return family


def _waiting(jobs: list[JobFacts]) -> GaugeMetricFamily:
    text = "FineTuneJobs of which nothing runs, by what they wait for (docs/failures.md)."
    family = GaugeMetricFamily(f"{PREFIX}_waiting_jobs", text, labels=["namespace", "reason"])
    for labels, count in sorted(Counter((job.namespace, job.waits_for) for job in jobs).items()):
        family.add_metric(labels, count)
    return family


def _longest_wait(jobs: list[JobFacts], now: datetime) -> GaugeMetricFamily:
    text = "Seconds that the job has waited which has waited longest, by what it waits for."
    family = GaugeMetricFamily(f"{PREFIX}_longest_wait_seconds", text, labels=["namespace", "reason"])
    longest: dict[tuple[str, str], float] = {}
    for job in jobs:
        labels = (job.namespace, job.waits_for)
        longest[labels] = max(longest.get(labels, 0), (now - moment(job.waits_since)).total_seconds())
    for labels, seconds in sorted(longest.items()):
        family.add_metric(labels, seconds)
    return family
