"""The figures of one operator process, in a registry of its own."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from finetune_api.failures import Reason
from finetune_operator.metrics.change import Change
from finetune_operator.metrics.gauges import PREFIX
from finetune_operator.metrics.jobs import JobBook

ROUND_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAIT_BUCKETS = (10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)


class RoundError(StrEnum):
    """Why a round of work on a job is repeated."""

    CONFLICT = "conflict"
    """What it was decided on has changed meanwhile, as happens."""
    API = "api"
    """The API server said no, or nothing."""
    FAULT = "fault"
    """One of the operator's own."""


class Metrics:
    """What an operator counts as it works."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = JobBook()
        ProcessCollector(registry=self.registry)
        self.round_seconds = Histogram(
            f"{PREFIX}_reconcile_seconds", "A round of work on one job.", buckets=ROUND_BUCKETS, registry=self.registry
        )
        self._errors = self._counter("reconcile_errors", "Rounds that are repeated, by why.", "kind")
        self._accelerator_seconds = self._counter(
            "accelerator_seconds",
            "How long jobs' pods have held accelerators, as accounted in status: seconds times devices.",
            "namespace",
        )
        self._completed = self._counter("jobs_completed", "Jobs that became Complete.")
        self._failed = self._counter("jobs_failed", "Jobs that became Failed, by reason (docs/failures.md).", "reason")
        self._restarts = self._counter("pod_restarts", "Stages' pods that replaced one which failed or was disrupted.")
        self._waits = Histogram(
            f"{PREFIX}_job_wait_seconds",
            "How long jobs have waited, by what for, once that is over (docs/failures.md).",
            ["reason"],
            buckets=WAIT_BUCKETS,
            registry=self.registry,
        )
        self._heard = self._time("watch_event", "When the API server last told of an object, by kind.", "kind")
        self._listed = self._time("resync", "When all jobs were last listed.")
        for kind in RoundError:
            self._errors.labels(kind)
        for reason in Reason:
            self._failed.labels(reason)

    def heard(self, kind: str) -> None:
        """A watch has told of an object."""
        self._heard.labels(kind).set_to_current_time()

    def listed(self, jobs: JobBook) -> None:
        """All jobs have been listed."""
        self.jobs.replace(jobs)
        self._listed.set_to_current_time()

    def repeated(self, kind: RoundError) -> None:
        """A round of work has to be repeated."""
        self._errors.labels(kind).inc()

    def wrote(self, namespace: str, change: Change) -> None:
        """A status was written."""
        self._accelerator_seconds.labels(namespace).inc(change.accelerator_seconds)
        self._restarts.inc(change.restarts)
        if change.completed:
            self._completed.inc()
        if change.failure:
            self._failed.labels(change.failure).inc()
        if change.wait:
            self._waits.labels(change.wait.reason).observe(change.wait.seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _time(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_last_{name}_timestamp_seconds", text, labels, registry=self.registry)
