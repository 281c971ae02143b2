"""Committed outputs: each attempt writes to a folder of its own, and one conditional write of the manifest decides.

<namespace>/cache/<key>/attempts/<attempt>/…    files; worth nothing by themselves
<namespace>/cache/<key>/manifest.json           names one attempt and its files: this is the output
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.manifest import MANIFEST, Manifest, ManifestFile, files_of, manifest_of
from finetune_runner.store.object_store import ObjectInfo, ObjectStore
from finetune_runner.store.paths import below

log = logging.getLogger(__name__)

TRIES = 10
"""Writers of one key that may come in between, before we give up."""


class Cache:
    """The committed outputs of a namespace in a store."""

    def __init__(self, store: ObjectStore, namespace: str, *, job: str = "") -> None:
        """The namespace's outputs.

        Args:
            store: where they lie.
            namespace: whose.
            job: name of the job that makes what is committed.
        """
        self.store = store
        self.namespace = namespace
        self.job = job
        self._corrupt: set[tuple[str, str]] = set()
        """(key, attempt) of outputs whose files turned out to be others than their manifest says."""

    def folder(self, key: str) -> str:
        return f"{self.namespace}/cache/{key}"

    def attempt_folder(self, key: str, attempt: str) -> str:
        return f"{self.folder(key)}/attempts/{attempt}"

    def find(self, key: str, inputs: Mapping[str, str]) -> Manifest | None:
        """The committed output of a key, if it was made from these inputs and its files are all there.

        Args:
            key: cache key.
            inputs: role to digest of what is committed upstream now.
        """
        manifest, _ = self._manifest(key)
        return manifest if manifest and self._counts(key, manifest, inputs) else None

    def commit(
        self,
        key: str,
        folder: Path,
        *,
        attempt: str,
        kind: str,
        pass_version: int,
        inputs: Mapping[str, str],
        metrics: Mapping[str, str],
        libraries: Mapping[str, str],
        intervals: Mapping[str, tuple[str, str]] | None = None,
        verified_on: str = "",
    ) -> tuple[Manifest, bool]:
        """Makes a folder's files the output of a key; returns what is committed then, and whether it is ours.

        Where another writer came first with the same inputs, its output stands and ours is removed.
        """
        attempt = self._unused(key, attempt)
        files = files_of(folder)
        for file in files:
            self.store.upload(folder / file.path, f"{self.attempt_folder(key, attempt)}/{file.path}")
        ours = manifest_of(
            files=files,
            kind=kind,
            pass_version=pass_version,
            attempt=attempt,
            inputs=inputs,
            metrics=metrics,
            libraries=libraries,
            intervals=intervals,
            verified_on=verified_on,
            job=self.job,
        )
        committed = self._decide(key, ours)
        return committed, committed.attempt == ours.attempt

    def load(self, key: str, manifest: Manifest, target: Path) -> None:
        """Downloads an output's files, each verified.

        Raises:
            FineTuneError: ArtifactCorrupt, when a file is gone or is another than the manifest says. From then on
                `find` does not count this output, and `commit` replaces it.
        """
        there = self._listed(key, manifest)
        for file in manifest.files:
            info = there.get(file.path)
            if not (info and self._fetched(info, file, below(target, file.path))):
                self._corrupt.add((key, manifest.attempt))
                raise self.corrupt(key, manifest, file)

    def forget(self, key: str, manifest: Manifest) -> None:
        """Makes an output uncommitted, unless another has taken its place."""
        there, _ = self._manifest(key)
        if there and there.attempt == manifest.attempt:
            self.store.delete(f"{self.folder(key)}/{MANIFEST}")

    def corrupt(self, key: str, manifest: Manifest, file: ManifestFile) -> FineTuneError:
        """The failure that a file is gone, or another than the manifest says."""
        uri = self.store.uri(f"{self.attempt_folder(key, manifest.attempt)}/{file.path}")
        return FineTuneError(
            Reason.ARTIFACT_CORRUPT,
            f"{uri} is not what was committed",
            remedy="It is made anew; check who else writes to the store.",
            path=self.store.path,
        )

    def infos(self, key: str, manifest: Manifest) -> dict[str, ObjectInfo]:
        """The files of an output as they stand in the store, by path."""
        return self._listed(key, manifest)

    def _manifest(self, key: str) -> tuple[Manifest | None, str]:
        """The manifest, and its etag; (None, etag) for one that can't be read, (None, "") for none."""
        content = self.store.get(f"{self.folder(key)}/{MANIFEST}")
        if content is None:
            return None, ""
        try:
            return Manifest.model_validate_json(content.data), content.etag
        except ValidationError:
            log.warning("%s can't be read, so it does not count", self.store.uri(f"{self.folder(key)}/{MANIFEST}"))
            return None, content.etag

    def _counts(self, key: str, manifest: Manifest, inputs: Mapping[str, str]) -> bool:
        if manifest.inputs != dict(inputs) or (key, manifest.attempt) in self._corrupt or not manifest.adds_up:
            return False
        there = self._listed(key, manifest)
        return all((info := there.get(file.path)) and info.size == file.size for file in manifest.files)

    def _listed(self, key: str, manifest: Manifest) -> dict[str, ObjectInfo]:
        folder = self.attempt_folder(key, manifest.attempt) + "/"
        return {info.key.removeprefix(folder): info for info in self.store.list(folder)}

    def _fetched(self, info: ObjectInfo, file: ManifestFile, target: Path) -> bool:
        return info.size == file.size and self.store.download(info, target) and file_sha256(target) == file.sha256

    def _unused(self, key: str, attempt: str) -> str:
        """The attempt's name, with a number where this pod wrote to that folder before."""
        count, name = 1, attempt
        while next(iter(self.store.list(f"{self.attempt_folder(key, name)}/")), None):
            count += 1
            name = f"{attempt}-{count}"
        return name

    def _decide(self, key: str, ours: Manifest) -> Manifest:
        name = f"{self.folder(key)}/{MANIFEST}"
        for _ in range(TRIES):
            if self.store.put_if_absent(name, ours.encode()):
                return ours
            theirs, etag = self._manifest(key)
            if theirs and theirs.attempt == ours.attempt:  # written, and the answer got lost
                return ours
            if theirs and self._counts(key, theirs, ours.inputs):
                log.info("another writer has committed %s first; its output stands", key)
                self._remove(key, ours)
                return theirs
            if etag and self.store.put_if_match(name, ours.encode(), etag):
                return ours
        raise FineTuneError(
            Reason.STORE_UNAVAILABLE,
            f"{self.store.uri(name)} changes faster than it can be written",
            remedy="Check what else writes to the store.",
            path=self.store.path,
        )

    def _remove(self, key: str, manifest: Manifest) -> None:
        for file in manifest.files:
            self.store.delete(f"{self.attempt_folder(key, manifest.attempt)}/{file.path}")
