"""The progress as Prometheus metrics, with a registry of its own."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from finetune_api.resource.status import Progress
from finetune_runner.progress.state import ProgressState


class ProgressCollector(Collector):  # type: ignore[misc]
    """Reads the state at each scrape."""

    def __init__(self, state: ProgressState) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily]:
        progress = self._state.snapshot()
        if progress is None:
            return
        for name, text, value in _figures(progress):
            family = GaugeMetricFamily(f"finetune_{name}", text, labels=["pass"])
            family.add_metric([progress.pass_], value)
            yield family


def registry_of(state: ProgressState) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ProgressCollector(state))
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text exposition format."""
    text: bytes = generate_latest(registry)
    return text


def _figures(progress: Progress) -> Iterator[tuple[str, str, float]]:
    yield "step", "Steps done by the running pass.", progress.step
    yield "total_steps", "Steps of the running pass; 0: not known.", progress.total_steps
    if progress.loss:
        yield "training_loss", "Training loss, mean over the last logged steps.", float(progress.loss)
    if progress.tokens_per_second:
        yield "training_tokens_per_second", "Training tokens a second.", float(progress.tokens_per_second)
    if progress.eta_seconds is not None:
        yield "eta_seconds", "Estimated seconds until the pass ends.", progress.eta_seconds
