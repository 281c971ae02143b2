"""What the plugins that are installed on this machine say of a job."""

from collections.abc import Callable, Iterable, Iterator

from finetune_api.failures import FineTuneError
from finetune_api.plan import PlannedPass, metric_plugins, plan
from finetune_api.plugin import GROUP, METRICS_GROUP
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.plugin import MetricPlugin

Findings = tuple[list[Problem], list[Problem]]
"""What is wrong, and what can't be checked here."""


def plugin_findings(spec: FineTuneJobSpec) -> Findings:
    """What is wrong with a valid spec's plugins, passes and metrics, and what can't be checked here."""
    found = [*_passes(spec), *_metrics(spec)]
    return [p for wrong, _ in found for p in wrong], [note for _, notes in found for note in notes]


def _passes(spec: FineTuneJobSpec) -> Iterator[Findings]:
    for step in plan(spec).passes:
        if step.spec.plugin:
            yield _of_pass(spec, step, step.spec.plugin.name)


def _metrics(spec: FineTuneJobSpec) -> Iterator[Findings]:
    used = {place: metric for step in spec.passes for place, metric in metric_plugins(spec, step).items()}
    return (_of_metric(place, metric) for place, metric in used.items())


def _of_pass(spec: FineTuneJobSpec, step: PlannedPass, name: str) -> Findings:
    from finetune_runner.plugins import checking  # noqa: PLC0415  few jobs have plugins

    path = checking.path_of(step)
    return _findings(name, GROUP, path, lambda: checking.problems(spec, step, checking.named(name, path)))


def _of_metric(place: tuple[int, int], given: MetricPlugin) -> Findings:
    from finetune_runner.plugins import metrics  # noqa: PLC0415  few jobs have plugins

    path, name = metrics.path_of(place), given.name
    return _findings(
        name, METRICS_GROUP, path, lambda: metrics.metric_problems(given, metrics.named_metric(name, path), path)
    )


def _findings(name: str, group: str, path: str, check: Callable[[], Iterable[Problem]]) -> Findings:
    from finetune_runner.plugins import installed  # noqa: PLC0415  few jobs have plugins

    if all(entry.name != name for entry in installed.entry_points(group)):
        message = f"plugin {name!r} is not installed on this machine, so its config is not checked"
        return [], [Problem(path, message, "prepare checks it, in the image of the pass's system")]
    try:
        return list(check()), []
    except FineTuneError as error:
        return [Problem(error.path, error.message, error.remedy)], []
