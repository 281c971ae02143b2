"""The final artifact at spec.output: its files, the report, and last the manifest, without which it does not exist."""

import logging
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import Published
from finetune_api.plan import PlannedPass, Product
from finetune_runner.committed import Committed, verified_on
from finetune_runner.gating.gates import choose
from finetune_runner.job import Job
from finetune_runner.prepared import Prepared
from finetune_runner.publishing.beside import beside, refuse_reserved
from finetune_runner.publishing.made import Made
from finetune_runner.publishing.report import FullReport
from finetune_runner.publishing.signing import is_signed_at, signing_key, wants_signature
from finetune_runner.store.beside_names import PROVENANCE
from finetune_runner.store.digests import file_sha256, short
from finetune_runner.store.manifest import MANIFEST, Manifest, ManifestFile
from finetune_runner.store.object_store import ObjectInfo, ObjectStore
from finetune_runner.store.opening import open_location
from finetune_runner.store.paths import below
from finetune_runner.store.patience import PatientStore

if TYPE_CHECKING:
    from finetune_runner.provenance.keys import PrivateKey

log = logging.getLogger(__name__)

FORMATS = {Product.MODEL: "safetensors", Product.ADAPTER: "adapter", Product.ONNX: "onnx"}


def publish(
    job: Job, prepared: Prepared, committed: Committed, report: FullReport, *, has_key: bool
) -> Published | None:
    """Publishes the output of the first candidate whose gates have passed.

    Returns where it is: at spec.output, or without one in the store. None when all passes only measure, or when the
    artifact is to be signed and this pod has no key: then prepare, which has it, publishes.

    Raises:
        FineTuneError: GateFailed, InvalidSpec (another artifact is there), ArtifactCorrupt, AuthDenied or
            StoreUnavailable.
    """
    if not job.plan.candidates:
        return None
    name = choose(job.spec, [step.name for step in job.plan.candidates], report.gates)
    step, manifest, key = job.plan.pass_named(name), committed[name], prepared.key_of(name)
    output = open_output(job, probed=True)
    if output is None:
        return _published(job, step, committed, job.store.uri(job.cache.attempt_folder(key, manifest.attempt)))
    if wants_signature(job) and not has_key:
        log.info("the artifact is to be signed: a prepare publishes it, whose pod has the key")
        return None
    key_to_sign = signing_key(job)
    if not _is_there(output, manifest) or (key_to_sign and not is_signed_at(output, key_to_sign)):
        refuse_reserved(manifest)
        refuse_to_overwrite(job, output, {manifest.digest})
        made = Made(job.document, job.plan, prepared, committed, report, step, uri=output.uri(""))
        _write(job, output, key, made, key_to_sign)
    return _published(job, step, committed, output.uri(""))


def open_output(job: Job, *, probed: bool) -> ObjectStore | None:
    """spec.output; None where there is none.

    Args:
        job: whose output it is.
        probed: whether prepare has written there before, so that it is waited for where it does not answer.
    """
    if job.spec.output is None:
        return None
    return PatientStore(open_location(job.spec.output, job.layout, "spec.output"), proven=probed)


def refuse_to_overwrite(job: Job, output: ObjectStore, digests: Collection[str]) -> None:
    """That nothing stands in the way at the output.

    Args:
        job: whose output it is.
        output: the output.
        digests: of what may be published, as far as they are known.

    Raises:
        FineTuneError: InvalidSpec, when another artifact is there and overwrite is false.
    """
    there = _artifact_at(output)
    overwrite = job.spec.output is not None and job.spec.output.overwrite
    if there is None or overwrite or there.digest in digests:
        return
    raise FineTuneError(
        Reason.INVALID_SPEC,
        f"another artifact is already at {output.uri('')}",
        remedy="Choose another output, or set output.overwrite: true to replace it.",
        path="spec.output.overwrite",
    )


def _published(job: Job, step: PlannedPass, committed: Committed, uri: str) -> Published:
    manifest = committed[step.name]
    return Published(
        index=step.index,
        uri=uri,
        digest=short(manifest.digest),
        size_bytes=manifest.size_bytes,
        format=FORMATS[step.product],
        verified_on=verified_on(job.plan, step.name, committed),
    )


def _artifact_at(output: ObjectStore) -> Manifest | None:
    content = output.get(MANIFEST)
    if content is None:
        return None
    try:
        return Manifest.model_validate_json(content.data)
    except ValidationError as error:
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"{output.uri(MANIFEST)} is not one of ours",
            remedy="Choose another output.",
            path=output.path,
        ) from error


def _is_there(output: ObjectStore, manifest: Manifest) -> bool:
    """Whether this artifact is published already, whole."""
    there = _artifact_at(output)
    if there is None or there.digest != manifest.digest:
        return False
    sizes = {info.key: info.size for info in output.list("")}
    return all(sizes.get(file.path) == file.size for file in manifest.files)


def _write(job: Job, output: ObjectStore, key: str, made: Made, key_to_sign: "PrivateKey | None") -> None:
    manifest = made.manifest
    _clear(output, manifest)
    _copy_files(job, output, key, manifest)
    for name, content in beside(made, key_to_sign).items():
        output.put(name, content)
    ours = manifest.model_copy(update={"attempt": ""})
    output.put_if_absent(MANIFEST, ours.encode())
    if not _is_there(output, manifest):
        raise FineTuneError(
            Reason.INVALID_SPEC,
            f"another job publishes or removes its artifact at {output.uri('')} at the same time",
            remedy="Give each job an output of its own.",
            path=output.path,
        )
    log.info("published %d files, %d bytes, at %s", len(manifest.files), manifest.size_bytes, output.uri(""))


def _clear(output: ObjectStore, manifest: Manifest) -> None:
    """Unpublishes what is there: first its manifest, then those of its files that the new artifact lacks.

    Its provenance too: by that the job that has published it would take the new one's files for its own.
    """
    older = _artifact_at(output)
    if older is None:
        return
    output.delete(MANIFEST)
    output.delete(PROVENANCE)
    for name in {file.path for file in older.files} - {file.path for file in manifest.files}:
        output.delete(name)


def _copy_files(job: Job, output: ObjectStore, key: str, manifest: Manifest) -> None:
    infos = job.cache.infos(key, manifest)
    for file in manifest.files:
        info = infos.get(file.path)
        if info is None or not _copied(job, output, info, file):
            job.cache.forget(key, manifest)
            raise job.cache.corrupt(key, manifest, file)


def _copied(job: Job, output: ObjectStore, info: ObjectInfo, file: ManifestFile) -> bool:
    """Copies one file, verified: by the service itself if it can, else on its way through this pod."""
    if info.size == file.size and output.copy_from(job.store, info, file.path, file.sha256):
        return True
    with tempfile.TemporaryDirectory(dir=job.layout.folder("tmp")) as folder:
        local = below(Path(folder), file.path)
        if not job.store.download(info, local) or file_sha256(local) != file.sha256:
            return False
        output.upload(local, file.path)
    return True
