"""Plugins: found by entry point, checked before anything starts, run as a pass, part of the cache key."""

import json
from dataclasses import replace

import pytest

from api_specs import wire_spec
from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import Product, plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.plugin import Plugin
from finetune_runner.cache_keys.pass_keys import pass_keys
from finetune_runner.passes.registry import run_pass
from finetune_runner.plugins.checking import plugin_calls, require_same
from passes import Reported, inputs
from plugin_packages import sample_plugins

__all__ = ["sample_plugins"]

pytestmark = pytest.mark.usefixtures("sample_plugins")


def spec(name="scale", config=None, **more):
    step = {"name": "p", "system": "cpu", "plugin": {"name": name, "config": config or {}, **more}}
    return FineTuneJobSpec.model_validate(wire_spec() | {"passes": [step]})


def refusal(*given, **more):
    with pytest.raises(FineTuneError) as caught:
        plugin_calls(spec(*given, **more))
    return caught.value


def ran(name, folder, report=None, **fields):
    source = folder / "source"
    source.mkdir()
    (source / "tokenizer.json").write_text("theirs")
    (source / "prompt.json").write_text("{}")
    given = inputs(source, folder / "out", path="spec.passes[0].plugin", **fields)
    return run_pass("plugin", Plugin(name=name, config={"keepRatio": 0.25}), given, report or Reported())


def failed(name, folder, **fields):
    with pytest.raises(FineTuneError) as caught:
        ran(name, folder, **fields)
    return caught.value


def test_a_config_is_the_plugins_own_with_its_defaults():
    assert plugin_calls(spec())["p"].config.keep_ratio == 0.5
    assert plugin_calls(spec(config={"keepRatio": 1}))["p"].config.keep_ratio == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"keepRatoi": 1}, "spec.passes[0].plugin.config.keepRatoi: unknown field"),
        ({"keepRatio": "1"}, "spec.passes[0].plugin.config.keepRatio: Input should be a valid number"),
        ({"keepRatio": [1]}, "spec.passes[0].plugin.config.keepRatio: Input should be a valid number"),
    ],
)
def test_a_wrong_config_is_refused_with_its_place_and_the_way_to_its_fields(config, said):
    error = refusal(config=config)
    assert str(error).startswith(said)
    assert error.reason is Reason.INVALID_SPEC
    assert "finetune passes scale lists the fields of finetune-sample 1.2.3" in str(error)


def test_an_unknown_plugin_is_refused_with_those_installed_and_where_to_install():
    error = refusal("scael")
    assert error.path == "spec.passes[0].plugin.name"
    assert "no plugin is named 'scael' here; installed: count (finetune-sample 1.2.3)" in error.message
    assert "in the image of the pass's system" in error.remedy


def test_what_the_manifest_says_it_makes_is_what_it_makes():
    error = refusal(produces="onnx")
    assert error.path == "spec.passes[0].plugin.produces"
    assert error.remedy == "write produces: model"


def test_a_plugin_gets_what_it_works_on():
    error = refusal("count", produces="figures")
    assert str(error).startswith("spec.passes[0].plugin: plugin 'count' (finetune-sample 1.2.3) works on: onnx")
    assert "'base' makes: model" in error.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "cannot be loaded: AttributeError"),
        ("unfinished", "finetune_sample:Unfinished lacks run"),
        ("no-pass", "finetune_sample:Config is not a subclass of finetune_api.plugin.PluginPass"),
        ("needy", "works with no-such-library, which is not installed"),
    ],
)
def test_what_does_not_keep_to_the_contract_is_named(name, said):
    error = refusal(name)
    assert (error.reason, error.path) == (Reason.PLUGIN_FAILED, "spec.passes[0].plugin")
    assert f"plugin {name} (finetune-sample 1.2.3)" in error.message
    assert said in error.message


def test_config_name_and_version_decide_the_key():
    def key(given, version="1.2.3"):
        calls = plugin_calls(given)
        call = calls["p"]
        calls = {"p": replace(call, plugin=replace(call.plugin, libraries={"finetune-sample": version}))}
        return pass_keys(given, plan(given), "base", {"tones": "rows"}, plugins=calls, uid="u")["p"]

    usual = key(spec())
    assert key(spec(config={"keepRatio": 0.5})) == usual
    assert len({usual, key(spec(config={"keepRatio": 1})), key(spec("raises")), key(spec(), "1.2.4")}) == 4


def test_its_own_version_is_what_is_installed():
    assert plugin_calls(spec())["p"].plugin.libraries == {"finetune-sample": "1.2.3"}


def test_an_image_that_has_changed_since_prepare_is_refused():
    [step] = plan(spec()).passes
    require_same(step, {"finetune-sample": "1.2.3"})
    with pytest.raises(FineTuneError, match=r"it has finetune-sample 1\.2\.3, and had finetune-sample 1\.2\.2"):
        require_same(step, {"finetune-sample": "1.2.2"})


def test_it_runs_with_its_config_and_tells_how_far_it_is(tmp_path):
    report = Reported()
    assert ran("scale", tmp_path, report).metrics == {"kept": "0.25"}
    assert report.steps == [{"step": 1, "total_steps": 1}]


def test_tokenizer_and_prompt_travel_along(tmp_path):
    ran("scale", tmp_path)
    assert (tmp_path / "out" / "tokenizer.json").read_text() == "theirs"
    assert (tmp_path / "out" / "prompt.json").read_text() == "{}"


def test_figures_are_written_down(tmp_path):
    ran("count", tmp_path, product=Product.ONNX)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == {"metrics": {"kept": 0.25}}
    assert not (tmp_path / "out" / "tokenizer.json").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "failed: ValueError: no such layer"),
        ("exits", "failed: SystemExit: 0"),
        ("writes-nothing", "has ended without writing config.json"),
        ("vouches", "has written provenance.intoto.json, a name that publishing needs"),
        ("gives-text", "gave back 'fine', not figures by name"),
    ],
)
def test_a_plugin_that_fails_is_named(tmp_path, name, said):
    error = failed(name, tmp_path)
    assert (error.reason, error.exit_code, error.path) == (Reason.PLUGIN_FAILED, 20, "spec.passes[0].plugin")
    assert error.message == f"plugin {name!r} (finetune-sample 1.2.3) {said}"


def test_the_traceback_is_in_the_log(tmp_path, caplog):
    failed("raises", tmp_path)
    assert "finetune_sample.py" in caplog.text
    assert "second line" in caplog.text


def test_a_full_disk_is_no_fault_of_the_plugin(tmp_path):
    assert failed("fills-the-disk", tmp_path).reason is Reason.OUT_OF_DISK
