"""The job as a process sees it: its document, its plan, its store."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import JobDocument
from finetune_api.plan import Plan, plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.systems import System
from finetune_api.validate import Problem, parse
from finetune_runner.layout import PodLayout
from finetune_runner.store.commit import Cache
from finetune_runner.store.object_store import ObjectStore
from finetune_runner.store.opening import open_location
from finetune_runner.store.patience import PatientStore


@dataclass(frozen=True)
class Job:
    """A valid job with its surroundings."""

    document: JobDocument
    layout: PodLayout
    plan: Plan
    store: ObjectStore
    cache: Cache
    keyless: bool = False
    """Whether its prepare has no key here to sign the artifact with."""

    @property
    def spec(self) -> FineTuneJobSpec:
        return self.document.spec

    def grace_seconds(self, system: System) -> int:
        """From being asked to stop to being killed, of a pod on this system."""
        return self.layout.grace_seconds or system.termination_grace_period_seconds

    @property
    def folder(self) -> str:
        """Where the store keeps what is about this job alone."""
        return f"{self.document.namespace}/jobs/{self.document.uid}"


def read_document(file: Path, digest: str = "") -> JobDocument:
    """The mounted job document.

    Args:
        file: it.
        digest: sha256 (hex) that it must have; empty where none is known.

    Raises:
        FineTuneError: InvalidSpec, with the first problem's place, and how many there are.
    """
    try:
        content = file.read_bytes()
        raw = json.loads(content)
        identity = {key: raw[key] for key in ("namespace", "name", "uid")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FineTuneError(
            Reason.INVALID_SPEC, f"{file} is not a job document: {error!r}", remedy="Mount one, or name one by --job."
        ) from error
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            "the job's ConfigMap is not what the job was accepted as",
            remedy="Find out who may edit ConfigMaps here, delete this one, and create a new job.",
        )
    spec, problems = parse(raw.get("spec"))
    if problems or spec is None:
        raise _invalid(problems)
    return JobDocument(**identity, spec=spec)


def open_job(document: JobDocument, layout: PodLayout, *, prepared: bool = False, keyless: bool = False) -> Job:
    """The job with its store; no request is made yet.

    Args:
        document: the job.
        layout: where things lie.
        prepared: whether its prepare step has ended, which has used the store.
        keyless: whether prepare has no key here to sign the artifact with, and leaves publishing to one that has.

    Raises:
        FineTuneError: InvalidSpec without a store, AuthDenied without the store's secret.
    """
    if document.spec.store is None:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            "no store is set, and the operator has no default",
            remedy="Set spec.store, or the chart's value defaultStore.",
            path="spec.store",
        )
    store = PatientStore(open_location(document.spec.store, layout, "spec.store"), proven=prepared)
    cache = Cache(store, document.namespace, job=document.name)
    return Job(document=document, layout=layout, plan=plan(document.spec), store=store, cache=cache, keyless=keyless)


def _invalid(problems: list[Problem]) -> FineTuneError:
    first, *others = problems
    more = f" (and {len(others)} more)" if others else ""
    return FineTuneError(Reason.INVALID_SPEC, first.message + more, remedy=first.remedy, path=first.path)
