"""Acceptance: a valid spec gets a document that later changes of the operator leave alone; an invalid one fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finetune_api import validate
from finetune_api.failures import Reason
from finetune_api.graph_runs import cuda_systems
from finetune_api.messages import JobDocument
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.status import FailureStatus
from finetune_api.validate import Problem
from finetune_operator.conditions import clip
from finetune_operator.decision import CreateConfigMap
from finetune_operator.default_system import overfull, with_defaults
from finetune_operator.manifests.config_map import build_config_map, digest_of_document
from finetune_operator.observed import Observed
from finetune_operator.settings import Settings

REMEDY = "correct the manifest and apply it as a new FineTuneJob"


@dataclass(frozen=True)
class Accepted:
    document: JobDocument
    runner_image: str
    digest: str
    """Of the document, in the ConfigMap."""
    actions: tuple[CreateConfigMap, ...] = ()


@dataclass(frozen=True)
class Refused:
    failure: FailureStatus


def accept(observed: Observed, settings: Settings) -> Accepted | Refused:
    """The job's document: the stored one, or a new one made of its spec and the operator's defaults.

    What is stored before the status says that the job is accepted counts only where it is what would be made now.
    """
    if observed.document is not None and observed.status.start_time:
        return _stored(observed, observed.document)
    spec, problems = validate.parse(observed.spec)
    if spec is None:
        return Refused(_invalid(problems))
    image = observed.status.runner_image or settings.runner_image
    filled = _filled(spec, settings, image)
    if problems := _problems(spec, filled, settings):
        return Refused(_invalid(problems))
    document = _document(observed, filled)
    if observed.document == document:
        return _stored(observed, document)
    manifest = build_config_map(document, image)
    return Accepted(document, image, digest_of_document(manifest), (CreateConfigMap(manifest),))


def _stored(observed: Observed, document: JobDocument) -> Accepted:
    return Accepted(document, observed.document_image or observed.status.runner_image, observed.document_digest)


def document_of(observed: Observed, settings: Settings) -> JobDocument | None:
    """The stored document, or where that is gone one as it would be made now; None for a spec that says too little."""
    if observed.document is not None:
        return observed.document
    spec, _ = validate.parse(observed.spec)
    filled = _filled(spec, settings, observed.status.runner_image or settings.runner_image) if spec else None
    if filled is None or filled.store is None:
        return None
    return _document(observed, filled)


def _document(observed: Observed, filled: FineTuneJobSpec) -> JobDocument:
    return JobDocument(namespace=observed.namespace, name=observed.name, uid=observed.uid, spec=filled)


def _problems(spec: FineTuneJobSpec, filled: FineTuneJobSpec, settings: Settings) -> list[Problem]:
    """What is wrong with a spec as its pods will have it: what the operator adds may complete it, or be too much."""
    found = [*_overfull(spec, settings)] or validate.parse(filled.to_wire())[1]
    return [*found, *_without_store(spec, settings), *_without_kueue(spec, settings)]


def _without_store(spec: FineTuneJobSpec, settings: Settings) -> list[Problem]:
    if spec.store or settings.default_store:
        return []
    remedy = "set spec.store, or have the operator installed with a default store"
    return [Problem("spec.store", "not set, and the operator has no default store", remedy)]


def _without_kueue(spec: FineTuneJobSpec, settings: Settings) -> list[Problem]:
    """A stage would wait for ever where nothing admits it."""
    if settings.kueue:
        return []
    remedy = "leave it out, or have the operator installed with kueue.enabled"
    message = "set, and the operator is installed without Kueue"
    queues = (index for index, system in enumerate(spec.systems) if system.queue_name)
    return [Problem(f"spec.systems[{index}].queueName", message, remedy) for index in queues]


def _overfull(spec: FineTuneJobSpec, settings: Settings) -> Iterator[Problem]:
    return overfull(spec.systems, settings.default_system) if settings.default_system else iter(())


def _filled(spec: FineTuneJobSpec, settings: Settings, image: str) -> FineTuneJobSpec:
    images = dict.fromkeys(cuda_systems(spec), settings.runner_cuda_image or image)
    systems = [s if s.image else s.model_copy(update={"image": images.get(s.name, image)}) for s in spec.systems]
    if settings.default_system:
        systems = [with_defaults(system, settings.default_system) for system in systems]
    changes: dict[str, Any] = {"systems": systems, "store": spec.store or settings.default_store, "suspend": False}
    return spec.model_copy(update=changes)


def _invalid(problems: list[Problem]) -> FailureStatus:
    """All problems at once, so that a manifest is corrected once: the first in full, then each of the others."""
    first, *others = problems
    if not others:
        return _failure(first.path, first.message, first.remedy or REMEDY)
    told = [f"1) {_unplaced(first)}", *(f"{number}) {problem}" for number, problem in enumerate(others, start=2))]
    return _failure(first.path, f"the first of {len(problems)} problems: {'; '.join(told)}", REMEDY)


def _failure(path: str, message: str, remedy: str) -> FailureStatus:
    return FailureStatus(reason=Reason.INVALID_SPEC, path=path, message=clip(message), remedy=clip(remedy))


def _unplaced(problem: Problem) -> str:
    return str(problem).removeprefix(f"{problem.path}: ")
