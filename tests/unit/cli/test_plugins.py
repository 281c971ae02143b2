"""The command line and plugins: those installed beside it are listed and checked, others noted."""

import pytest
import yaml

from api_specs import wire_spec
from command_line import REPOSITORY
from finetune_api import API_VERSION, KIND
from plugin_packages import PLUGINS, sample_plugins

__all__ = ["sample_plugins"]


@pytest.fixture
def validate(finetune, tmp_path):
    def run(name, **config):
        step = {"name": "p", "system": "cpu", "plugin": {"name": name, "config": config}}
        job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}}
        file = tmp_path / "job.yaml"
        file.write_text(yaml.safe_dump(job | {"spec": wire_spec() | {"passes": [step]}}))
        return finetune("validate", file)

    return run


def test_a_plugin_that_is_not_installed_is_noted(validate):
    ended = validate("soup")
    assert (ended.code, "is valid" in ended.out) == (0, True)
    assert "note: spec.passes[0].plugin: plugin 'soup' is not installed on this machine" in ended.err


def test_the_example_is_valid_and_tells_editors_where_the_schema_is(finetune):
    example = REPOSITORY / "examples" / "plugin" / "job.yaml"
    assert finetune("validate", example).code == 0
    mark, _, schema = example.read_text().splitlines()[0].partition("=")
    assert mark == "# yaml-language-server: $schema"
    assert (example.parent / schema).resolve() == REPOSITORY / "crds" / "finetunejob.schema.json"


@pytest.mark.usefixtures("sample_plugins")
def test_an_installed_plugin_checks_its_config(validate):
    assert (validate("scale", keepRatio=1).code, validate("scale", keepRatio=1).err) == (0, "")
    ended = validate("scale", keepRatoi=1)
    assert (ended.code, ended.out) == (1, "")
    assert "spec.passes[0].plugin.config.keepRatoi: unknown field" in ended.err


@pytest.mark.usefixtures("sample_plugins")
def test_a_plugin_whose_libraries_are_only_in_its_image_checks_its_config(finetune, validate):
    assert validate("needy", keepRatio=1).code == 0
    assert "spec.passes[0].plugin.config.keepRatoi: unknown field" in validate("needy", keepRatoi=1).err
    assert "keepRatio (number, default 0.5)" in finetune("passes", "needy").out


@pytest.mark.usefixtures("sample_plugins")
def test_a_plugin_that_cannot_be_loaded_is_wrong(validate):
    ended = validate("missing")
    assert (ended.code, ended.is_bug) == (1, False)
    assert "spec.passes[0].plugin: plugin missing (finetune-sample 1.2.3) cannot be loaded" in ended.err


@pytest.mark.usefixtures("sample_plugins")
def test_passes_lists_plugins_with_their_fields(finetune):
    out = finetune("passes").out
    assert all(f"\n{name} (plugin" in out for name in PLUGINS)
    assert "scale (plugin of finetune-sample 1.2.3: model to model)\n  Scales weights." in out
    assert "keepRatio (number, default 0.5)" in finetune("passes", "scale").out
