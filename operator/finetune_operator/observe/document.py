"""From a job's ConfigMap to the document that it was accepted as. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from finetune_api.messages import JobDocument
from finetune_api.schema_problem import spec_path
from finetune_operator.labels import RUNNER_IMAGE
from finetune_operator.manifests.config_map import JOB_KEY, digest_of_document
from finetune_operator.observe.children import controller_uid


@dataclass(frozen=True)
class ReadDocument:
    document: JobDocument | None = None
    image: str = ""
    """The default runner image when the job was accepted."""
    digest: str = ""
    """Of the document as it is written there."""
    unreadable: str = ""
    """What this version of the operator can't make out of it."""


def read_document(config_map: Mapping[str, Any] | None, job: Mapping[str, Any], digest: str) -> ReadDocument:
    """Only from a ConfigMap that is ours and says what was accepted: one that somebody put in its place says nothing.

    Args:
        config_map: as the API server has it.
        job: metadata of the FineTuneJob.
        digest: of the document that was accepted; empty where that is not known.
    """
    if config_map is None or controller_uid(config_map) != job["uid"]:
        return ReadDocument()
    found = digest_of_document(config_map)
    if not found or (digest and found != digest):
        return ReadDocument()
    annotations = config_map["metadata"].get("annotations") or {}
    try:
        document = JobDocument.model_validate_json(config_map["data"][JOB_KEY])
    except ValidationError as error:
        first = error.errors()[0]
        return ReadDocument(unreadable=f"{spec_path(first['loc'][1:])}: {first['msg']}")
    if (document.namespace, document.name, document.uid) != (job["namespace"], job["name"], job["uid"]):
        return ReadDocument()
    return ReadDocument(document, annotations.get(RUNNER_IMAGE, ""), found)
