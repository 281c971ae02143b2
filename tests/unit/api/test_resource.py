"""The resource's models are what is on the wire."""

import pytest
from pydantic import ValidationError

from api_specs import wire_spec
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.locations import S3Location
from finetune_api.resource.status import Condition, FineTuneJobStatus


def test_a_spec_survives_the_journey_unchanged():
    spec = FineTuneJobSpec.model_validate(wire_spec())
    assert FineTuneJobSpec.model_validate(spec.to_wire()) == spec


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [("s3://models", "models", ""), ("s3://models/", "models", ""), ("s3://models/a/b/", "models", "a/b")],
)
def test_an_s3_uri_is_a_bucket_and_a_key(uri, bucket, key):
    location = S3Location(uri=uri)
    assert (location.bucket, location.key) == (bucket, key)


@pytest.mark.parametrize("uri", ["http://models/x", "s3://", "s3://Models/x", "models/x"])
def test_what_is_no_s3_uri_is_refused(uri):
    with pytest.raises(ValidationError):
        S3Location(uri=uri)


def test_a_job_is_terminal_once_complete_or_failed_holds():
    def status(kind: str, value: str) -> FineTuneJobStatus:
        condition = Condition(type=kind, status=value, reason="R", last_transition_time="2026-01-01T00:00:00Z")
        return FineTuneJobStatus(conditions=[condition])

    assert status("Complete", "True").terminal
    assert status("Failed", "True").terminal
    assert not status("Failed", "False").terminal
    assert not status("Accepted", "True").terminal
