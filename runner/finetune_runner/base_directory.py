"""The base model as passes read it: a transformers directory with safetensors.

Weights in another format are converted once: the first stage that needs the base commits the result to the store, under
a key made from the base's digest, which also names what converts; later stages and jobs load it. Passes know of none of
this. Converting a tokenizer alone can take minutes, so doing it in every stage would not do.
"""

import logging
import shutil
from pathlib import Path

from finetune_api.cache_key import digest_of
from finetune_api.failures import FineTuneError, Reason
from finetune_api.messages import CACHE_KEY_CHARS
from finetune_runner.cache_keys.library_versions import CONVERSION, differing
from finetune_runner.job import Job
from finetune_runner.sources import base_model
from finetune_runner.sources.base_model import CONVERSION_VERSION, PinnedModel
from finetune_runner.store.manifest import Manifest

log = logging.getLogger(__name__)


def put_base(job: Job, pinned: PinnedModel, target: Path) -> None:
    """Puts the base model into an empty folder.

    Raises:
        FineTuneError: ModelNotFound when it has changed since prepare, ModelUnsupported, or what a store raises.
    """
    if not pinned.conversion:
        base_model.fetch(job.spec.input_model, pinned, job.layout, target)
    elif not _loaded(job, pinned, target):
        _convert(job, pinned, target)


def _key(job: Job, pinned: PinnedModel) -> str:
    """With engine.cache off, of this job alone."""
    whole = pinned.digest if job.spec.engine.cache else digest_of([pinned.digest, job.document.uid])
    return whole[:CACHE_KEY_CHARS]


def _inputs(pinned: PinnedModel) -> dict[str, str]:
    return {"source": pinned.digest}


def _loaded(job: Job, pinned: PinnedModel, target: Path) -> bool:
    manifest = job.cache.find(_key(job, pinned), _inputs(pinned))
    if manifest is None:
        return False
    try:
        job.cache.load(_key(job, pinned), manifest, target)
    except FineTuneError as error:
        if error.reason is not Reason.ARTIFACT_CORRUPT:
            raise
        return _forgotten(job, pinned, manifest, target)
    log.info("base model: converted before, reused")
    return True


def _forgotten(job: Job, pinned: PinnedModel, manifest: Manifest, target: Path) -> bool:
    log.warning("the converted base model is not what was committed; converting it anew")
    job.cache.forget(_key(job, pinned), manifest)
    shutil.rmtree(target)
    target.mkdir()
    return False


def _convert(job: Job, pinned: PinnedModel, target: Path) -> None:
    from finetune_runner.passes.conversion import convert  # noqa: PLC0415  torch takes seconds

    source = job.layout.work / "unconverted"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    base_model.fetch(job.spec.input_model, pinned, job.layout, source)
    log.info("base model: converting %s to safetensors, once", pinned.conversion)
    convert(pinned.conversion, source, target)
    shutil.rmtree(source)
    job.cache.commit(
        _key(job, pinned),
        target,
        attempt=job.layout.pod_uid,
        kind=CONVERSION,
        pass_version=CONVERSION_VERSION,
        inputs=_inputs(pinned),
        metrics={},
        libraries=differing(CONVERSION),
    )
