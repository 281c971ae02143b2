"""Checkpoints of a pass that is under way, beside its attempts; gone once its output is committed.

<namespace>/cache/<key>/checkpoints/<step>-<attempt>/…              files
<namespace>/cache/<key>/checkpoints/<step>-<attempt>/manifest.json  written last: without it there is no checkpoint
"""

import logging
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from finetune_api.failures import FineTuneError
from finetune_runner.store.commit import Cache
from finetune_runner.store.digests import file_sha256
from finetune_runner.store.manifest import MANIFEST, Manifest, files_of, manifest_of
from finetune_runner.store.object_store import ObjectInfo
from finetune_runner.store.paths import below

log = logging.getLogger(__name__)

STEP_DIGITS = 8


class CheckpointStore:
    """The checkpoints of one key. Satisfies passes.contract.Checkpoints.

    A folder belongs to one attempt, so that two pods with the same key never mix; what they write is alike.
    """

    def __init__(
        self,
        cache: Cache,
        key: str,
        *,
        attempt: str,
        job: str,
        kind: str,
        pass_version: int,
        inputs: Mapping[str, str],
        on_kept: Callable[[int], None] | None = None,
    ) -> None:
        """The checkpoints of a pass.

        Args:
            cache: the namespace's.
            key: the pass's cache key.
            attempt: names this pod.
            job: name of its job, for people.
            kind: the pass's variant.
            pass_version: of the code that makes it.
            inputs: role to digest of what it is made from; a checkpoint made from something else does not count.
            on_kept: told the step of a checkpoint once it is complete, and of one that was fetched.
        """
        self.store = cache.store
        self.folder = f"{cache.folder(key)}/checkpoints"
        self.attempt = attempt
        self.job = job
        self.kind = kind
        self.pass_version = pass_version
        self.inputs = dict(inputs)
        self.on_kept = on_kept
        self._refused: set[str] = set()
        """Those that are damaged or of other inputs: however new, they take no place of one that counts."""

    def save(self, step: int, folder: Path, keep: int) -> None:
        """Makes a folder's files the checkpoint of a step, and removes all but the newest.

        Args:
            step: optimizer steps done.
            folder: its files.
            keep: how many complete ones stay.

        Raises:
            FineTuneError: StoreUnavailable, AuthDenied.
        """
        name = f"{step:0{STEP_DIGITS}d}-{self.attempt}"
        place = f"{self.folder}/{name}"
        self._refused.discard(name)
        self.store.delete(f"{place}/{MANIFEST}")
        files = files_of(folder)
        for file in files:
            self.store.upload(folder / file.path, f"{place}/{file.path}")
        manifest = manifest_of(
            files=files,
            kind=self.kind,
            pass_version=self.pass_version,
            attempt=self.attempt,
            inputs=self.inputs,
            metrics={},
            libraries={},
            job=self.job,
        )
        self.store.put(f"{place}/{MANIFEST}", manifest.encode())
        self._told(step)
        self._prune(keep)

    def restore(self, folder: Path) -> int | None:
        """Fetches the newest checkpoint that is complete and undamaged; returns its step, None where there is none.

        Args:
            folder: an empty folder.

        Raises:
            FineTuneError: StoreUnavailable, AuthDenied.
        """
        for name, files in self._complete():
            step = _step(name)
            if step and self._fetched(name, files, folder):
                self._told(step)
                return step
            self._refused.add(name)
            uri = self.store.uri(f"{self.folder}/{name}")
            log.warning("checkpoint %s is damaged, or of other inputs; the one before is tried", uri)
        return None

    def _told(self, step: int) -> None:
        if self.on_kept:
            self.on_kept(step)

    def clear(self) -> None:
        """Removes all of them. A failure is a warning: they only take up room."""
        try:
            for name, files in self._listed().items():
                self._remove(name, files)
        except FineTuneError as error:
            log.warning("checkpoints are left in the store: %s", error)

    def _listed(self) -> dict[str, dict[str, ObjectInfo]]:
        """Files of each checkpoint, also of those that are not complete, the newest first."""
        found: dict[str, dict[str, ObjectInfo]] = defaultdict(dict)
        for info in self.store.list(f"{self.folder}/"):
            name, _, path = info.key.removeprefix(f"{self.folder}/").partition("/")
            found[name][path] = info
        return {name: found[name] for name in sorted(found, reverse=True)}

    def _complete(self) -> list[tuple[str, dict[str, ObjectInfo]]]:
        return [(name, files) for name, files in self._listed().items() if MANIFEST in files and _step(name)]

    def _fetched(self, name: str, files: Mapping[str, ObjectInfo], folder: Path) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        manifest = self._manifest(name)
        if manifest is None or manifest.inputs != self.inputs:
            return False
        return all(
            (info := files.get(file.path))
            and info.size == file.size
            and self.store.download(info, below(folder, file.path))
            and file_sha256(folder / file.path) == file.sha256
            for file in manifest.files
        )

    def _manifest(self, name: str) -> Manifest | None:
        content = self.store.get(f"{self.folder}/{name}/{MANIFEST}")
        try:
            return Manifest.model_validate_json(content.data) if content else None
        except ValidationError:
            return None

    def _prune(self, keep: int) -> None:
        """Removes what does not count and what is older than the newest that do, cut-off uploads among it."""
        kept = [name for name, _ in self._complete() if name not in self._refused][:keep]
        for name, files in self._listed().items():
            if name in self._refused or (name not in kept and name < kept[0]):
                self._remove(name, files)

    def _remove(self, name: str, files: Mapping[str, ObjectInfo]) -> None:
        """The manifest first, so that no half of a checkpoint counts."""
        for path in sorted(files, key=lambda path: path != MANIFEST):
            self.store.delete(f"{self.folder}/{name}/{path}")


def _step(name: str) -> int | None:
    """The step that a checkpoint's folder names; None for a folder that is none of ours."""
    number = name.partition("-")[0]
    return int(number) if number.isdecimal() else None
