"""What a stage's passes work on, on this pod's disk: fetched once, and kept for the passes that follow."""

import shutil
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plan import BASE
from finetune_runner import datasets
from finetune_runner.base_directory import put_base
from finetune_runner.job import Job
from finetune_runner.passes.contract import DataSet
from finetune_runner.prepared import Prepared
from finetune_runner.store.manifest import Manifest


class Workbench:
    """Directories of models and passes' outputs, and rows."""

    def __init__(self, job: Job, prepared: Prepared) -> None:
        self.job = job
        self.prepared = prepared
        self._rows: dict[str, DataSet] = {}
        self._there: dict[str, str] = {}
        """Name of a pass (or BASE) to the digest of what lies on disk."""

    def folder(self, name: str) -> Path:
        """Where a pass's output, or the base model, lies or will lie."""
        return self.job.layout.work / ("base" if name == BASE else f"passes/{name}")

    def fresh(self, name: str) -> Path:
        """An empty folder for a pass's output."""
        self._there.pop(name, None)
        shutil.rmtree(self.folder(name), ignore_errors=True)
        self.folder(name).mkdir(parents=True)
        return self.folder(name)

    def keep(self, name: str, digest: str) -> None:
        """Notes that a pass's folder holds the output with this digest."""
        self._there[name] = digest

    def base(self) -> Path:
        """The base model."""
        if BASE not in self._there:
            put_base(self.job, self.prepared.base, self.fresh(BASE))
            self.keep(BASE, self.prepared.base.digest)
        return self.folder(BASE)

    def output(self, name: str, manifest: Manifest) -> Path:
        """A pass's committed output.

        Raises:
            FineTuneError: ArtifactCorrupt, when it is not what was committed; then it isn't committed any more.
        """
        if self._there.get(name) != manifest.digest:
            self._load(name, manifest)
        return self.folder(name)

    def data(self, name: str) -> DataSet:
        """The rows of a data config, as prepare saw them."""
        if name not in self._rows:
            config = next(config for config in self.job.spec.data_configs if config.name == name)
            rows = datasets.read(self.job, self.prepared.data_named(name))
            self._rows[name] = DataSet(config=config, rows=rows)
        return self._rows[name]

    def _load(self, name: str, manifest: Manifest) -> None:
        key = self.prepared.key_of(name)
        try:
            self.job.cache.load(key, manifest, self.fresh(name))
        except FineTuneError as error:
            if error.reason is Reason.ARTIFACT_CORRUPT:
                self.job.cache.forget(key, manifest)
            raise
        self.keep(name, manifest.digest)
