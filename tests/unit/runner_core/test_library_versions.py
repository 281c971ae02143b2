"""The versions that cache keys name are those the runner image installs."""

import re
from pathlib import Path

import pytest

from finetune_api.plan import PRODUCES
from finetune_runner.cache_keys.library_versions import DECIDING, PINNED, deciding

LOCKS = Path(__file__).parents[3] / "requirements"


def locked_versions(lock):
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (LOCKS / lock).read_text(), re.MULTILINE))


def test_pinned_versions_are_those_of_the_locks():
    locked = locked_versions("runner.txt") | locked_versions("cuda.txt")
    assert {name: locked[name] for name in PINNED} == PINNED


@pytest.mark.parametrize("kind", PRODUCES)
def test_every_kind_of_pass_says_which_libraries_decide_its_output(kind):
    assert deciding(kind)
    assert set(DECIDING[kind]) <= set(PINNED)
