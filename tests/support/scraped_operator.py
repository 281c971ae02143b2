"""An operator's figures as Prometheus has them: its real page, scraped once a minute of a time that the test tells."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import disable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from finetune_operator.conditions import timestamp
from finetune_operator.leadership import Leadership
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.metrics.standing import Standing

START = 1_795_000_000
"""Of the first scrape, in seconds since 1970."""
GONE = "stale"
"""As Prometheus marks a series that a page has no more."""


class ScrapedOperator:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        disable_created_metrics()
        self.metrics, self._leadership = Metrics(), Leadership()
        standing = Standing(self._leadership, self.metrics.jobs, lambda: 0, self.now)
        self.metrics.registry.register(standing)
        self._minutes = 0
        self._values: dict[str, dict[int, float]] = {}
        monkeypatch.setattr("time.time", lambda: self.now().timestamp())

    def now(self) -> datetime:
        return datetime.fromtimestamp(START + 60 * self._minutes, UTC)

    def leads(self, leads: bool = True) -> None:
        (self._leadership._leads.set if leads else self._leadership._leads.clear)()

    def waits(self, namespace: str, reason: str, since: datetime) -> None:
        """There is a job that waits."""
        waiting = {"reason": reason, "since": timestamp(since)}
        metadata = {"namespace": namespace, "name": reason.lower()}
        self.metrics.jobs.see({"metadata": metadata, "status": {"phase": "Waiting", "waiting": waiting}})

    def page(self) -> str:
        text: bytes = generate_latest(self.metrics.registry)
        return text.decode()

    def scraped(self) -> None:
        """Once; then it is a minute later."""
        for family in text_string_to_metric_families(self.page()):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                self._values.setdefault(f"{sample.name}{{{labels}}}", {})[self._minutes] = sample.value
        self._minutes += 1

    def series(self) -> list[dict[str, str]]:
        """As promtool takes them (input_series)."""
        minutes = range(self._minutes)
        return [
            {"series": series, "values": " ".join(_written(values.get(minute)) for minute in minutes)}
            for series, values in self._values.items()
        ]


def firing(eval_time: str, *alerts: str) -> dict[str, Any]:
    """A question to promtool: whether these alerts fire, and no others (promql_expr_test)."""
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {"expr": expression, "eval_time": eval_time, "exp_samples": samples}


def _written(value: float | None) -> str:
    return GONE if value is None else f"{value:.6f}"
