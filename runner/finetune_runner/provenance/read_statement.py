"""A statement as it is read: as much of it as is checked or told, and nothing else of it is believed."""

import json
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from finetune_runner.provenance.statement import PREDICATE_TYPE, STATEMENT_TYPE


class Subject(BaseModel):
    name: str
    digest: dict[str, str]


class JobMetadata(BaseModel):
    name: str
    namespace: str


class ReproducingJob(BaseModel, extra="allow"):
    """The job that makes an artifact again: a FineTuneJob's manifest."""

    metadata: JobMetadata


class ExternalParameters(BaseModel):
    job: ReproducingJob


class BuildDefinition(BaseModel):
    build_type: str = Field(alias="buildType")
    external_parameters: ExternalParameters = Field(alias="externalParameters")


class Metadata(BaseModel):
    invocation_id: str = Field(default="", alias="invocationId")


class RunDetails(BaseModel):
    metadata: Metadata = Metadata()


class Predicate(BaseModel):
    build_definition: BuildDefinition = Field(alias="buildDefinition")
    run_details: RunDetails = Field(alias="runDetails")


class Statement(BaseModel):
    type: str = Field(alias="_type")
    predicate_type: str = Field(alias="predicateType")
    subject: list[Subject]
    predicate: Predicate


def json_object(content: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none.
    """
    try:
        document = json.loads(content)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    if not isinstance(document, dict):
        msg = "it is no JSON object"
        raise ValueError(msg)  # noqa: TRY004  the file's fault, not the caller's
    return document


def read_statement(document: dict[str, Any]) -> Statement:
    """The statement in a document.

    Raises:
        ValueError: it is no SLSA provenance of ours.
    """
    try:
        statement = Statement.model_validate(document)
    except ValidationError as error:
        msg = f"it is no in-toto statement of ours: {error.error_count()} fields are missing or wrong"
        raise ValueError(msg) from error
    if (statement.type, statement.predicate_type) != (STATEMENT_TYPE, PREDICATE_TYPE):
        msg = f"it is a {statement.type!r} with {statement.predicate_type!r}, and no SLSA provenance in version 1"
        raise ValueError(msg)
    return statement
