"""report.json: all that is known of a job, in full; the termination message holds only the headlines."""

from pydantic import Field

from finetune_api.resource.base import Model
from finetune_runner.committed import Committed
from finetune_runner.gating.candidates import standing_of, verdicts
from finetune_runner.gating.gates import Verdict
from finetune_runner.job import Job
from finetune_runner.prepared import Prepared, PreparedData
from finetune_runner.store.beside_names import REPORT


class ReportedPass(Model):
    name: str
    kind: str
    key: str
    uri: str = ""
    digest: str = ""
    """sha256 (hex) of the committed output; empty where there is none."""
    size_bytes: int = 0
    created_time: str = ""
    metrics: dict[str, str] = Field(default_factory=dict)
    intervals: dict[str, tuple[str, str]] = Field(default_factory=dict)
    """Of figures that have one: the ends of the 95 % confidence interval."""
    verified_on: str = ""
    """Execution provider that an ONNX model was seen to run on: of an export, or of the one that was measured."""
    libraries: dict[str, str] = Field(default_factory=dict)


class ReportedData(Model):
    name: str
    uri: str
    digest: str
    rows: int
    distinct: int
    bad_rows: int
    bad_rows_named: list[str]


class FullReport(Model):
    """The job from its base to its figures."""

    namespace: str
    name: str
    uid: str
    base: str
    base_digest: str
    data: list[ReportedData]
    passes: list[ReportedPass]
    gates: list[Verdict]
    """In the order of spec.gates; empty until it is known whether a candidate passes."""

    def encode(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


def report_of(job: Job, prepared: Prepared, committed: Committed) -> FullReport:
    document = job.document
    return FullReport(
        namespace=document.namespace,
        name=document.name,
        uid=document.uid,
        base=prepared.base.uri,
        base_digest=prepared.base.digest,
        data=[_reported_data(data) for data in prepared.data],
        passes=[_reported(job, prepared, committed, step.name) for step in job.plan.passes],
        gates=_judged(job, committed),
    )


def write(job: Job, report: FullReport) -> None:
    job.store.put(f"{job.folder}/{REPORT}", report.encode())


def _judged(job: Job, committed: Committed) -> list[Verdict]:
    return verdicts(job, committed) if standing_of(job, committed).decided else []


def _reported_data(data: PreparedData) -> ReportedData:
    return ReportedData(
        name=data.name,
        uri=data.source.uri,
        digest=data.digest,
        rows=data.rows,
        distinct=data.distinct,
        bad_rows=data.bad_rows,
        bad_rows_named=data.bad_rows_named,
    )


def _reported(job: Job, prepared: Prepared, committed: Committed, name: str) -> ReportedPass:
    key, kind = prepared.key_of(name), job.plan.pass_named(name).spec.variant
    manifest = committed.get(name)
    if manifest is None:
        return ReportedPass(name=name, kind=kind, key=key)
    return ReportedPass(
        name=name,
        kind=kind,
        key=key,
        uri=job.store.uri(job.cache.attempt_folder(key, manifest.attempt)),
        digest=manifest.digest,
        size_bytes=manifest.size_bytes,
        created_time=manifest.created_time,
        metrics=manifest.metrics,
        intervals=manifest.intervals,
        verified_on=manifest.verified_on,
        libraries=manifest.libraries,
    )
