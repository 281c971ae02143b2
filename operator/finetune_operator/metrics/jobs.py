"""The FineTuneJobs there are, as watch and resync last told them.

Every replica knows them, so that one that takes over can tell them at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_operator.observe import Key


@dataclass(frozen=True)
class JobFacts:
    """What is counted of a job."""

    namespace: str
    phase: str
    waits_for: str = ""
    """A reason of the Reconciling condition; empty while it waits for nothing."""
    waits_since: str = ""
    """RFC 3339."""


class JobBook:
    def __init__(self) -> None:
        self.facts: dict[Key, JobFacts] = {}

    def see(self, job: Mapping[str, Any]) -> None:
        """A job as the API server has it now."""
        self.facts[_key(job)] = _facts(job)

    def forget(self, job: Mapping[str, Any]) -> None:
        """A job that is deleted."""
        self.facts.pop(_key(job), None)

    def replace(self, listed: "JobBook") -> None:
        """All jobs there are: one whose deletion was not heard of goes."""
        self.facts = listed.facts

    def all(self) -> tuple[JobFacts, ...]:
        return tuple(self.facts.values())


def _key(job: Mapping[str, Any]) -> Key:
    return job["metadata"]["namespace"], job["metadata"]["name"]


def _facts(job: Mapping[str, Any]) -> JobFacts:
    status = job.get("status") or {}
    waiting = status.get("waiting") or {}
    return JobFacts(
        namespace=job["metadata"]["namespace"],
        phase=status.get("phase") or "Pending",
        waits_for=waiting.get("reason", ""),
        waits_since=waiting.get("since", ""),
    )
