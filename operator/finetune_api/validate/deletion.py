"""That deleting the artifact with its job means something. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec


def deletion_problems(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """That there is an artifact of the job's own: what stays in the store other jobs may reuse."""
    if spec.artifact_deletion == "WithJob" and spec.output is None and spec.engine.cache:
        message = "WithJob, and without spec.output the artifact stays in the store, where other jobs may reuse it"
        yield Problem("spec.artifactDeletion", message, "set spec.output, or engine.cache: false")
