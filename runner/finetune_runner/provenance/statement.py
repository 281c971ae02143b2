"""The provenance of an artifact: an in-toto statement with a SLSA predicate. Pure.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.0/provenance
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from finetune_api import API_VERSION, KIND
from finetune_api.cache_key import PASS_VERSIONS, digest_of
from finetune_api.plan import PlannedPass
from finetune_api.public_spec import public_spec
from finetune_api.resource.passes import Tuning
from finetune_runner.cache_keys.library_versions import DECIDING, deciding
from finetune_runner.publishing.made import Made
from finetune_runner.sources.source import Pinned

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://finetune-operator.dev/provenance/v1"
BUILDER = "https://finetune-operator.dev/runner"
OUR_DIGEST = "finetuneOperatorV1"
"""Algorithm of digests over what identifies several files or rows, which is no plain sha256 of bytes."""
REPRODUCE = "finetune verify {location} --write-job job.json && kubectl create -f job.json"
IMAGE_DIGEST = "@sha256:"


def statement_of(made: Made, beside: Mapping[str, bytes], *, version: str, finished: str) -> dict[str, Any]:
    """The statement about an artifact.

    Args:
        made: the artifact.
        beside: what is published beside its own files, name to content.
        version: ours.
        finished: when it was published, RFC 3339 in UTC.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in _subjects(made, beside)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"job": job_of(made)},
                "internalParameters": {
                    "passes": [_pass(made, step) for step in made.steps],
                    "reproduce": REPRODUCE.format(location=made.uri),
                },
                "resolvedDependencies": list(_dependencies(made)),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"finetune-operator": version}},
                "metadata": {
                    "invocationId": made.document.uid,
                    **({"startedOn": made.prepared.created_time} if made.prepared.created_time else {}),
                    "finishedOn": finished,
                },
            },
        },
    }


def job_of(made: Made) -> dict[str, Any]:
    """The job that makes the artifact again: sources at the commits they had, nothing that is secret."""
    spec = public_spec(made.spec)
    _pin(spec["inputModel"]["source"], made.prepared.base)
    pinned = {data.name: data.source for data in made.prepared.data}
    for config in spec["dataConfigs"]:
        if config["name"] in pinned:
            _pin(config["source"], pinned[config["name"]])
    metadata = {"name": made.document.name, "namespace": made.document.namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def _pin(source: dict[str, Any], pinned: Pinned) -> None:
    if "huggingFace" in source and pinned.revision:
        source["huggingFace"]["revision"] = pinned.revision


def _subjects(made: Made, beside: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    yield from ((file.path, file.sha256) for file in made.manifest.files)
    yield from ((name, hashlib.sha256(content).hexdigest()) for name, content in beside.items())


def _pass(made: Made, step: PlannedPass) -> dict[str, Any]:
    """What decided a pass's output, besides the spec, and that output's digest."""
    kind, manifest = step.spec.variant, made.committed[step.name]
    versions = deciding(kind) if kind in DECIDING else {}
    found: dict[str, Any] = {
        "name": step.name,
        "kind": step.spec.variant_alias,
        "version": PASS_VERSIONS[kind],
        "cacheKey": made.prepared.key_of(step.name),
        "libraries": versions | manifest.libraries,
        "output": {OUR_DIGEST: manifest.digest},
        "finishedOn": manifest.created_time,
    }
    if isinstance(step.spec.config, Tuning):
        training = step.spec.config.training
        found["seeds"] = {"seed": training.seed, "dataSeed": training.data_seed}
    return found


def _dependencies(made: Made) -> Iterator[dict[str, Any]]:
    yield _source("inputModel", made.prepared.base, made.prepared.base.digest)
    for data in made.prepared.data:
        yield _source(f"data {data.name}", data.source, data.digest)
    used = {data.name for data in made.prepared.data}
    for config in made.spec.data_configs:
        if config.name in used:
            name = f"preprocess of {config.name}"
            yield {"name": name, "digest": {"sha256": digest_of(config.preprocess.to_wire())}}
    systems = {stage.system.name: stage.system.image for stage in made.plan.stages}
    yield from (_image(name, image) for name, image in systems.items() if image)


def _source(name: str, pinned: Pinned, digest: str) -> dict[str, Any]:
    commit = {"gitCommit": pinned.revision} if pinned.revision else {}
    return {"name": name, "uri": pinned.uri, "digest": {OUR_DIGEST: digest, **commit}}


def _image(system: str, image: str) -> dict[str, Any]:
    _, _, digest = image.partition(IMAGE_DIGEST)
    return {"name": f"image of {system}", "uri": image} | ({"digest": {"sha256": digest}} if digest else {})
