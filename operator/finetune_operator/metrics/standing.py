"""How things stand at the moment of a scrape."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from finetune_operator.leadership import Leadership
from finetune_operator.metrics.gauges import gauge, job_gauges
from finetune_operator.metrics.jobs import JobBook
from finetune_operator.observe import Clock


class Standing(Collector):  # type: ignore[misc]
    """The jobs are told by the operator that leads alone, so that a sum over all replicas counts each once."""

    def __init__(self, leadership: Leadership, jobs: JobBook, queued: Callable[[], int], clock: Clock) -> None:
        self._leadership = leadership
        self._jobs = jobs
        self._queued = queued
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        leads = self._leadership.leads
        yield gauge("leads", "1 if this operator leads, else 0.", leads)
        if leads:
            yield gauge("queued_keys", "Jobs that wait for a worker of the operator.", self._queued())
            yield from job_gauges(self._jobs.all(), self._clock())
