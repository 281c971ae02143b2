"""Third parties' metrics: whether a job's are there and take their config, found out before anything starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import PlannedPass, metric_plugins, plan
from finetune_api.plugin import METRICS_GROUP, PluginConfig
from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.plugin import MetricPlugin
from finetune_runner.plugins import installed
from finetune_runner.plugins.checking import at, config_problems, refuse_other, require_libraries, the_entry
from finetune_runner.plugins.installed import InstalledMetric


@dataclass(frozen=True)
class MetricCall:
    """A metric, and the config an evaluator gives it."""

    plugin: InstalledMetric
    config: PluginConfig


def metric_calls(spec: FineTuneJobSpec) -> dict[str, list[MetricCall]]:
    """Name of each pass that measures with plugins to these, in order.

    Raises:
        FineTuneError: InvalidSpec or PluginFailed, with the first problem's place.
    """
    calls = {step.name: _calls(spec, step) for step in plan(spec).passes}
    return {name: found for name, found in calls.items() if found}


def named_metric(name: str, path: str) -> InstalledMetric:
    """The installed metric of a name.

    Raises:
        FineTuneError: InvalidSpec, when none or several have the name; PluginFailed, when it can't be loaded.
    """
    entry = the_entry(name, path, METRICS_GROUP)
    with at(path):
        return installed.load_metric(entry)


def metric_problems(given: MetricPlugin, plugin: InstalledMetric, path: str) -> Iterator[Problem]:
    """What the metric does not take; path is where it stands in the spec, up to plugin."""
    if given.higher_is_better != plugin.kind.higher_is_better:
        says = str(plugin.kind.higher_is_better).lower()
        better = "higher" if plugin.kind.higher_is_better else "lower"
        yield Problem(
            f"{path}.higherIsBetter", f"of {plugin.title} {better} is better", f"write higherIsBetter: {says}"
        )
    yield from config_problems(plugin, given.config, f"{path}.config")


def path_of(place: tuple[int, int]) -> str:
    """Where a metric's plugin stands in the spec."""
    return f"spec.evaluators[{place[0]}].metrics[{place[1]}].plugin"


def libraries_of(calls: Sequence[MetricCall]) -> dict[str, str]:
    """Name to version of what decides the scores of some metrics."""
    return {name: version for call in calls for name, version in call.plugin.libraries.items()}


def require_same(spec: FineTuneJobSpec, step: PlannedPass, libraries: Mapping[str, str]) -> None:
    """That this image has what prepare's had, since the figures are found again by it.

    Raises:
        FineTuneError: InvalidSpec, when another version is installed here.
    """
    refuse_other(libraries_of(_calls(spec, step)), libraries, f"spec.passes[{step.index}].evaluate")


def _calls(spec: FineTuneJobSpec, step: PlannedPass) -> list[MetricCall]:
    calls = []
    for place, given in metric_plugins(spec, step.spec).items():
        path = path_of(place)
        plugin = named_metric(given.name, path)
        require_libraries(plugin, path)
        for problem in metric_problems(given, plugin, path):
            raise FineTuneError(Reason.INVALID_SPEC, problem.message, remedy=problem.remedy, path=problem.path)
        calls.append(MetricCall(plugin, plugin.parse(given.config)))
    return calls
