"""Metrics of third parties: found by entry point, checked before anything starts, part of the cache key."""

from dataclasses import replace

import pytest

from api_specs import wire_spec
from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import plan, prepare_system
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.plugin import MetricPlugin
from finetune_api.validate import parse
from finetune_cli.plugin_findings import plugin_findings
from finetune_runner.cache_keys.pass_keys import pass_keys
from finetune_runner.passes.evaluation.answers import Answer
from finetune_runner.passes.evaluation.plugin_metric import plugin_figure
from finetune_runner.plugins.metrics import metric_calls, require_same
from plugin_packages import sample_plugins

__all__ = ["sample_plugins"]

pytestmark = pytest.mark.usefixtures("sample_plugins")

PLACE = "spec.evaluators[0].metrics[1].plugin"
ANSWERS = [Answer("p", "joy", "joy"), Answer("p", "fear", "a long way to say it"), Answer("p", "joy", "fear")]


def wire(name="brief", config=None, **more):
    metrics = [{"name": "accuracy", "accuracy": {}}]
    metrics.append({"name": "own", "plugin": {"name": name, "config": config or {}, **more}})
    return wire_spec([("check", "cpu", "evaluate")], evaluators=[{"name": "tone-accuracy", "metrics": metrics}])


def spec(*given, **more):
    return FineTuneJobSpec.model_validate(wire(*given, **more))


def refusal(*given, **more):
    with pytest.raises(FineTuneError) as caught:
        metric_calls(spec(*given, **more))
    return caught.value


def failed(name):
    with pytest.raises(FineTuneError) as caught:
        plugin_figure(MetricPlugin(name=name), ANSWERS, "here")
    assert (caught.value.reason, caught.value.path) == (Reason.PLUGIN_FAILED, "here")
    return caught.value.message


def test_the_figure_is_the_mean_of_the_scores_with_its_interval():
    figure = plugin_figure(MetricPlugin(name="brief", config={"characters": 3}), ANSWERS, "here")

    assert figure.value == pytest.approx(1 / 3)
    assert figure.bounds == (0, 1)
    assert figure.details["answers"][1] == {
        "prompt": "p",
        "expected": "fear",
        "got": "a long way to say it",
        "score": 0,
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("forgets", "plugin 'forgets' (finetune-sample 1.2.3) gave back 2 finite numbers for 3 answers"),
        ("divides", "plugin 'divides' (finetune-sample 1.2.3) gave back 0 finite numbers for 3 answers"),
        ("babbles", "gave back 'fine', not a number for each answer"),
        ("stumbles", "plugin 'stumbles' (finetune-sample 1.2.3) failed: "),
    ],
)
def test_a_metric_that_goes_wrong_fails_the_job_by_its_name(name, said):
    assert said in failed(name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"config": {"character": 3}}, f"{PLACE}.config.character: unknown field"),
        ({"name": "length"}, f"{PLACE}.higherIsBetter: of plugin 'length' (finetune-sample 1.2.3) lower is better"),
        (
            {"name": "breif"},
            f"{PLACE}.name: no plugin is named 'breif' here; installed: a-pass (finetune-sample 1.2.3)",
        ),
    ],
)
def test_what_a_metric_does_not_take_is_refused_with_its_place(given, said):
    assert said in str(refusal(**given))


def test_a_metric_of_which_less_is_better_says_so_in_the_manifest():
    own = spec("length", higherIsBetter=False)

    assert list(metric_calls(own)) == ["check"]
    assert [metric.higher_is_better for metric in own.evaluators[0].metrics] == [True, False]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("undecided", "does not say by higher_is_better whether a higher value is better"),
        ("a-pass", "finetune_sample:Scale is not a subclass of finetune_api.plugin.PluginMetric"),
    ],
)
def test_what_does_not_keep_to_the_contract_is_named(name, said):
    error = refusal(name)
    assert (error.reason, error.path) == (Reason.PLUGIN_FAILED, PLACE)
    assert said in error.message


def test_config_and_version_decide_the_key():
    def key(given, version="1.2.3"):
        [call] = metric_calls(given)["check"]
        calls = {"check": [replace(call, plugin=replace(call.plugin, libraries={"finetune-sample": version}))]}
        return pass_keys(given, plan(given), "base", {"tones": "rows"}, plugins={}, metrics=calls, uid="u")["check"]

    usual = key(spec())
    assert key(spec()) == usual
    assert len({usual, key(spec(config={"characters": 3})), key(spec(), "1.2.4")}) == 3


def test_an_image_that_has_changed_since_prepare_is_refused():
    [step] = plan(spec()).passes
    require_same(spec(), step, {"finetune-sample": "1.2.3"})
    with pytest.raises(FineTuneError, match=r"it has finetune-sample 1\.2\.3, and had finetune-sample 1\.2\.2"):
        require_same(spec(), step, {"finetune-sample": "1.2.2"})


def test_prepare_goes_where_the_metric_is_installed():
    assert prepare_system(spec()) == "cpu"
    assert prepare_system(FineTuneJobSpec.model_validate(wire_spec())) == ""


def test_a_metric_in_another_image_than_prepares_is_refused():
    given = wire()
    given["prepare"] = {"system": "gpu"}
    given["systems"][1]["image"] = "registry.example.com/runner-brief:1"

    [problem] = parse(given)[1]
    assert problem.path == "spec.passes[0].evaluate"
    assert "system 'cpu' has another image than 'gpu'" in problem.message


def test_the_command_line_checks_the_metrics_that_are_installed_here():
    wrong, notes = plugin_findings(spec(config={"characters": "3"}))
    assert [problem.path for problem in wrong] == [f"{PLACE}.config.characters"]
    assert notes == []

    wrong, notes = plugin_findings(spec("elsewhere"))
    assert wrong == []
    assert "plugin 'elsewhere' is not installed on this machine" in str(notes[0])
