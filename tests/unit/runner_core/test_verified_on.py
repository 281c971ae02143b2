"""Where an artifact was seen to run: by the pass that made it, or by one that measured it."""

import pytest

from finetune_api.plan import plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.committed import verified_on
from finetune_runner.store.manifest import manifest_of
from gated_specs import gated_spec

CUDA = "CUDAExecutionProvider"


def manifest(provider):
    return manifest_of(
        files=[],
        kind="model_builder",
        pass_version=1,
        attempt="a",
        inputs={},
        metrics={},
        libraries={},
        verified_on=provider,
    )


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"int4": CUDA, "check": ""}, CUDA),
        ({"int4": "", "check": CUDA}, CUDA),
        ({"int4": "", "tuned-check": CUDA}, ""),
        ({"int4": ""}, ""),
    ],
    ids=["its own pass", "what measured it", "what measured another", "nobody"],
)
def test_an_artifact_is_verified_by_its_own_pass_or_one_that_measured_it(seen, expected):
    planned = plan(FineTuneJobSpec.model_validate(gated_spec()))
    assert verified_on(planned, "int4", {name: manifest(provider) for name, provider in seen.items()}) == expected
