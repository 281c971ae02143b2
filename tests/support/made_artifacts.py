"""Artifacts and how they were made, without the making."""

from typing import Any

from finetune_api.messages import JobDocument
from finetune_api.plan import Plan, plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.gating.gates import judge
from finetune_runner.prepared import Prepared, PreparedData, PreparedPass
from finetune_runner.publishing.made import Made
from finetune_runner.publishing.report import FullReport
from finetune_runner.sources.base_card import BaseCard
from finetune_runner.sources.base_model import PinnedModel
from finetune_runner.sources.source import Pinned
from finetune_runner.store.manifest import Manifest, ManifestFile, manifest_of
from gated_specs import gated_spec

BASE = "hf://microsoft/Phi-3-mini-4k-instruct"
COMMIT = "0a67737cc96d2554230f90338b163bc6380a2a85"
GATE = {"metric": "accuracy", "after": "int4", "maxDrop": "0.02", "comparedTo": "tune"}
FIGURES = {
    "tuned-check": {"accuracy": "0.9500", "loss": "0.1200", "size": "4000000", "pace": "31.2"},
    "check": {"accuracy": "0.9375", "loss": "0.1100", "size": "900000", "pace": "88.1"},
}
INTERVALS = {"accuracy": ("0.9000", "0.9750")}


def made(name: str = "int4", *, seen: str = "CPUExecutionProvider", card: BaseCard | None = None, **parts: Any) -> Made:
    """The output of a pass of gated_spec's chain; `seen` is where the export was seen to run."""
    spec = FineTuneJobSpec.model_validate(gated_spec(GATE, **parts))
    planned = plan(spec)
    committed = {step.name: _manifest(step.spec.variant, step.name, seen) for step in planned.passes}
    document = JobDocument(namespace="team", name="phi3-tone", uid="6f9619ff-8b86-d011-b42d-00c04fc964ff", spec=spec)
    report = FullReport(
        namespace="team",
        name=document.name,
        uid=document.uid,
        base=BASE,
        base_digest="b" * 64,
        data=[],
        passes=[],
        gates=judge(spec, {name: manifest.metrics for name, manifest in committed.items()}),
    )
    prepared = _prepared(planned, card or BaseCard())
    return Made(document, planned, prepared, committed, report, planned.pass_named(name), uri="s3://models/phi3-tone")


def _manifest(kind: str, name: str, seen: str) -> Manifest:
    return manifest_of(
        files=[ManifestFile(path="model.onnx", sha256="a" * 64, size=7)],
        kind=kind,
        pass_version=3,
        attempt="pod",
        inputs={},
        metrics=FIGURES.get(name, {}),
        intervals=INTERVALS if name in FIGURES else {},
        libraries={},
        verified_on=seen if kind == "model_builder" else "",
    )


def _prepared(planned: Plan, card: BaseCard) -> Prepared:
    source = Pinned(uri="s3://datasets/tones.jsonl", digest="d" * 64, files=[])
    return Prepared(
        base=PinnedModel(uri=BASE, digest="b" * 64, revision=COMMIT, files=[], card=card),
        data=[PreparedData(name="tones", source=source, digest="e" * 64, rows=240, distinct=240, bad_rows=2)],
        passes=[PreparedPass(index=step.index, name=step.name, key=f"{step.index:032x}") for step in planned.passes],
    )
