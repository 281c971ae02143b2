"""An artifact that is to go with its job is the job's own."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

OUTPUT = {"output": {"s3": {"uri": "s3://models/out"}}}


def findings(**parts):
    return [problem.path for problem in parse(wire_spec(**parts))[1]]


@pytest.mark.parametrize("parts", [OUTPUT, {"engine": {"cache": False}}])
def test_a_published_artifact_or_outputs_that_nobody_reuses_may_go_with_the_job(parts):
    assert findings(artifactDeletion="WithJob", **parts) == []


def test_what_other_jobs_may_reuse_does_not():
    assert findings(artifactDeletion="WithJob") == ["spec.artifactDeletion"]
    assert findings(artifactDeletion="Keep") == []


def test_another_word_is_refused():
    assert findings(artifactDeletion="withjob", **OUTPUT) == ["spec.artifactDeletion"]
