"""What a pod is told of itself."""

import pytest

from finetune_api.pod_layout import GRACE_ENV
from finetune_api.resource.systems import System
from finetune_runner.job import Job
from finetune_runner.layout import PodLayout


@pytest.mark.parametrize(("told", "seconds"), [("90", 90), (None, 60)])
def test_a_pod_has_as_long_to_stop_as_it_is_told_and_else_as_its_system_says(monkeypatch, tmp_path, told, seconds):
    monkeypatch.delenv(GRACE_ENV, raising=False)
    if told:
        monkeypatch.setenv(GRACE_ENV, told)
    job = Job(document=None, layout=PodLayout.under(tmp_path), plan=None, store=None, cache=None)
    assert job.grace_seconds(System(name="gpu")) == seconds
