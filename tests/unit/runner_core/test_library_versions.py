"""The versions that cache keys name are those the runner image installs."""

import re
from pathlib import Path

import pytest

from finetune_api.plan import PRODUCES
from finetune_runner.cache_keys.library_versions import DECIDING, PINNED, deciding

LOCK = Path(__file__).parents[3] / "requirements/runner.txt"


def locked_versions():
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))


def test_pinned_versions_are_those_of_the_lock():
    locked = locked_versions()
    assert {name: locked[name] for name in PINNED} == PINNED


@pytest.mark.parametrize("kind", PRODUCES)
def test_every_kind_of_pass_says_which_libraries_decide_its_output(kind):
    assert deciding(kind)
    assert set(DECIDING[kind]) <= set(PINNED)
