"""The progress as Prometheus metrics, with a registry of its own."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from finetune_api.resource.progress import Progress
from finetune_runner.progress.state import ProgressState
from finetune_runner.progress.training import training_gauges


class ProgressCollector(Collector):  # type: ignore[misc]
    """Reads the state at each scrape."""

    def __init__(self, state: ProgressState) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily]:
        progress = self._state.snapshot()
        if progress is None or not progress.pass_:
            return
        for name, text, value in _figures(progress):
            family = GaugeMetricFamily(f"finetune_{name}", text, labels=["pass"])
            family.add_metric([progress.pass_], value)
            yield family
        if told := self._state.telemetry():
            yield from (_gauge(progress.pass_, *gauge) for gauge in training_gauges(told))


def registry_of(state: ProgressState) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ProgressCollector(state))
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text exposition format."""
    text: bytes = generate_latest(registry)
    return text


def _gauge(name_of_pass: str, name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """Values that have a name are the parts of something."""
    family = GaugeMetricFamily(f"finetune_{name}", text, labels=["pass", "part"] if all(values) else ["pass"])
    for part, value in values.items():
        family.add_metric([name_of_pass, part] if part else [name_of_pass], value)
    return family


def _figures(progress: Progress) -> Iterator[tuple[str, str, float]]:
    yield "step", "Steps done by the running pass.", progress.step
    yield "total_steps", "Steps of the running pass; 0: not known.", progress.total_steps
    if progress.loss:
        yield "training_loss", "Training loss, mean over the last logged steps.", float(progress.loss)
    if progress.tokens_per_second:
        yield "training_tokens_per_second", "Training tokens a second.", float(progress.tokens_per_second)
    if progress.eta_seconds is not None:
        yield "eta_seconds", "Estimated seconds until the pass ends.", progress.eta_seconds
