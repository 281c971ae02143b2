"""The job's document as a pod reads it."""

import hashlib

import pytest

from api_specs import spec_of
from finetune_api.failures import FineTuneError
from finetune_api.messages import JobDocument
from finetune_runner.job import read_document


def test_another_document_than_the_one_that_was_accepted_is_refused(tmp_path):
    file = tmp_path / "job.json"
    document = JobDocument(namespace="team", name="tone", uid="u", spec=spec_of())
    file.write_text(document.model_dump_json(by_alias=True, exclude_none=True))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    assert read_document(file, digest).name == "tone"
    file.write_text(file.read_text().replace('"team"', '"prod"'))
    with pytest.raises(FineTuneError, match="not what the job was accepted as"):
        read_document(file, digest)
