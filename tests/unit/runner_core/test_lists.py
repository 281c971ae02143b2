"""What a manifest may name, the runner has: lists that stand in several modules are whole."""

from importlib.util import find_spec
from typing import get_args

import pytest

from finetune_api.cache_key import PASS_VERSIONS
from finetune_api.export_options import PRECISIONS
from finetune_api.plan import ACCEPTS, PRODUCES
from finetune_api.resource.data import DataConfig
from finetune_api.resource.exports import ExecutionProvider
from finetune_api.resource.passes import Pass
from finetune_api.resource.training import Training
from finetune_api.trackers import TRACKERS
from finetune_runner.formats.reading import FORMATS
from finetune_runner.passes.exporting.builder_process import BUILDER_PROVIDERS
from finetune_runner.passes.registry import MODULES


def words(model, field):
    """What a field may say, also where it is a list of such words."""
    kind = model.model_fields[field].annotation
    return {word for part in get_args(kind) for word in (get_args(part) or (part,))}


@pytest.mark.parametrize("known", [ACCEPTS, PASS_VERSIONS, MODULES, {**PRODUCES, "plugin": None}])
def test_every_pass_is_known_wherever_one_must_be(known):
    assert set(known) == set(Pass.variants)


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_the_module_of_every_pass_is_there(module):
    assert find_spec(module)


def test_every_format_of_rows_is_read():
    assert {*FORMATS, "auto"} == words(DataConfig, "format")


def test_every_tracker_says_what_it_needs():
    assert set(TRACKERS) == words(Training, "report_to")


def test_every_execution_provider_has_its_precisions_and_its_name_at_the_builder():
    assert set(PRECISIONS) == set(BUILDER_PROVIDERS) == set(get_args(ExecutionProvider))
