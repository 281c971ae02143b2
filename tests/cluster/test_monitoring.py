"""What Prometheus makes of what is served and documented, its operator of what is rendered. No cluster is needed."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from built_programs import program
from cluster_setup import CHART, CHECKOUT, OPERATOR_NAMESPACE, RELEASE
from finetune_api.failures import Reason
from finetune_operator.metrics.change import Change, Wait
from finetune_operator.metrics.instruments import RoundError
from finetune_runner.passes.telemetry import PeakMemory, StepSeconds, Telemetry
from finetune_runner.progress.metrics import registry_of, render
from finetune_runner.progress.state import ProgressState
from scraped_operator import START, ScrapedOperator, firing

Json = dict[str, Any]
Happens = Callable[[ScrapedOperator, int], None]
"""What happens in a minute, by its number."""
MINUTES = 30
ASKED = {"evaluation_interval": "1m", "fuzzy_compare": True}
DEFINITION = "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
TOLD = Telemetry(
    learning_rate=0.0002,
    gradient_norm=1.5,
    padding=0.125,
    step=StepSeconds(data=0.01, forward=0.2, backward=0.4, optimizer=0.03),
    memory=PeakMemory(host=3, accelerator=5, reserved=6),
    utilisation=0.4,
)


@pytest.fixture(scope="module")
def promtool() -> str:
    return program("promtool")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules as they stand in docs/operations.md."""
    found = re.search(r"```yaml\n(groups:\n.*?)```", (CHECKOUT / "docs" / "operations.md").read_text(), re.DOTALL)
    assert found
    file = tmp_path / "rules.yaml"
    file.write_text(found[1])
    return file


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def well(operator: ScrapedOperator, minute: int) -> None:
    """It leads, lists all jobs each minute, and now and then one ends or is repeated for what happens."""
    operator.leads()
    operator.metrics.listed(operator.metrics.jobs)
    operator.metrics.heard("FineTuneJob")
    operator.metrics.repeated(RoundError.CONFLICT)
    operator.metrics.wrote("team", Change(failure=Reason.DATASET_INVALID, wait=Wait("Queued", 90)))
    operator.waits("team", "Queued", operator.now() - timedelta(minutes=minute))
    with operator.metrics.round_seconds.time():
        operator.metrics.wrote("team", Change(completed=True, accelerator_seconds=60, restarts=1))


def nobody_leads(operator: ScrapedOperator, minute: int) -> None:
    well(operator, minute)
    operator.leads(minute < 10)


def unheard(operator: ScrapedOperator, minute: int) -> None:
    if minute < 10:
        well(operator, minute)


def fault(operator: ScrapedOperator, minute: int) -> None:
    well(operator, minute)
    if minute == 20:
        operator.metrics.repeated(RoundError.FAULT)


def cannot_start(operator: ScrapedOperator, minute: int) -> None:
    well(operator, minute)
    if minute == 20:
        operator.waits("other", "ImagePullFailed", operator.now())


def platform(operator: ScrapedOperator, minute: int) -> None:
    well(operator, minute)
    if minute == 20:
        operator.metrics.wrote("team", Change(failure=Reason.STORE_UNAVAILABLE))


def long_queue(operator: ScrapedOperator, minute: int) -> None:
    well(operator, minute)
    operator.waits("other", "Unschedulable", operator.now() - timedelta(hours=5))


def through(operator: ScrapedOperator, happens: Happens) -> ScrapedOperator:
    for minute in range(MINUTES):
        happens(operator, minute)
        operator.scraped()
    return operator


def judged(promtool: str, rules: Path, operator: ScrapedOperator, *questions: Json) -> str:
    """What promtool says of the rules, asked of the operator's own series; empty where all is as expected."""
    group = {
        "interval": "1m",
        "start_timestamp": START,
        "input_series": operator.series(),
        "promql_expr_test": questions,
    }
    file = rules.with_name("tests.yaml")
    file.write_text(yaml.safe_dump({**ASKED, "rule_files": [rules.name], "tests": [group]}))
    done = run(promtool, "test", "rules", str(file))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_promtool_finds_nothing_to_say_against_the_rules(promtool, rules) -> None:
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(rules))
    assert (done.returncode, "7 rules found" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("happens", "alert"),
    [
        (nobody_leads, "FineTuneNobodyLeads"),
        (unheard, "FineTuneApiServerUnheard"),
        (fault, "FineTuneOperatorFault"),
        (cannot_start, "FineTuneJobsCannotStart"),
        (platform, "FineTuneJobsFailForThePlatform"),
        (long_queue, "FineTuneQueueIsLong"),
    ],
)
def test_an_alert_fires_on_what_the_operator_serves_and_no_other_does(promtool, rules, monkeypatch, happens, alert):
    operator = through(ScrapedOperator(monkeypatch), happens)
    assert judged(promtool, rules, operator, firing("29m", alert)) == ""


def test_of_an_operator_that_is_well_none_fires(promtool, rules, monkeypatch) -> None:
    operator = through(ScrapedOperator(monkeypatch), well)
    assert judged(promtool, rules, operator, *(firing(f"{minute}m") for minute in range(MINUTES))) == ""


def test_accelerator_hours_are_what_jobs_have_held(promtool, rules, monkeypatch) -> None:
    """A minute each minute, of which the first scrape knows: 29 more, and as Prometheus reckons the half of another."""
    operator = through(ScrapedOperator(monkeypatch), well)
    hours = "namespace:finetune_accelerator_hours:increase1d"
    sample = {"labels": f'{hours}{{namespace="team"}}', "value": 29.5 / 60}
    question = {"expr": hours, "eval_time": "29m", "exp_samples": [sample]}
    assert judged(promtool, rules, operator, question) == ""


def test_promtool_finds_nothing_to_say_against_the_operators_page(promtool, monkeypatch) -> None:
    page = through(ScrapedOperator(monkeypatch), long_queue).page()
    assert "finetune_operator_job_wait_seconds_bucket" in page
    done = run(promtool, "check", "metrics", stdin=page)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nor_against_a_stages(promtool) -> None:
    state = ProgressState()
    state.start("tune")
    state.report(step=2, total_steps=4, loss=1.5, tokens_per_second=512.0, telemetry=TOLD)
    page = render(registry_of(state)).decode()
    assert "finetune_training_tokens_per_second" in page
    done = run(promtool, "check", "metrics", stdin=page)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@cache
def pod_monitor() -> jsonschema.Draft4Validator:
    """The Prometheus Operator's own definition, under which an unknown field is an error."""
    found = json.loads(run("go", "mod", "download", "-json", PROMETHEUS_OPERATOR).stdout)
    definition = yaml.load((Path(found["Dir"]) / DEFINITION).read_text(), Loader=yaml.CSafeLoader)
    (version,) = definition["spec"]["versions"]
    return jsonschema.Draft4Validator(strict(version["schema"]["openAPIV3Schema"]))


def strict(schema: Any) -> Any:
    """The API server drops a field that a definition does not have, and kubectl refuses it."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {}
    return closed | {key: strict(part) for key, part in schema.items()}


@pytest.mark.parametrize("namespaces", ["", "watchNamespaces={team-a,team-b}"])
def test_the_prometheus_operator_takes_the_charts_pod_monitors(namespaces: str) -> None:
    asked = ("metrics.podMonitor.enabled=true", "metrics.podMonitor.jobs=true", "metrics.podMonitor.interval=30s")
    values = (*asked, "metrics.podMonitor.labels.release=prometheus", *filter(None, [namespaces]))
    options = [
        "--namespace",
        OPERATOR_NAMESPACE,
        "--kube-version",
        "v1.34.0",
        *(o for v in values for o in ("--set", v)),
    ]
    done = run(program("helm"), "template", RELEASE, str(CHART), *options)
    monitors = [found for found in yaml.safe_load_all(done.stdout) if found and found["kind"] == "PodMonitor"]
    assert len(monitors) == 2, done.stderr
    for monitor in monitors:
        assert [error.message for error in pod_monitor().iter_errors(json.loads(json.dumps(monitor)))] == []
        wrong = {**monitor, "spec": {**monitor["spec"], "podMetricsEndpoint": []}}
        assert not pod_monitor().is_valid(wrong)
