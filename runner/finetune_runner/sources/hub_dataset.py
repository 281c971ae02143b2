"""A split of a dataset repository: the files of the hub's own rules."""

from collections.abc import Iterable
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.sources.hub import HubSource
from finetune_runner.sources.hub_layout import LayoutError, files_of
from finetune_runner.sources.source import Pinned, PinnedFile, Wanted

README = "README.md"


class HubDataset:
    """Satisfies Source."""

    def __init__(self, hub: HubSource, *, subset: str, split: str, scratch: Path, path: str) -> None:
        """Makes no request yet.

        Args:
            hub: the repository.
            subset: name of the subset; empty for the default one.
            split: name of the split.
            scratch: a folder for the README.
            path: the data config's place in the spec.
        """
        self.path = hub.path
        self.hub = hub
        self.subset = subset
        self.split = split
        self.scratch = scratch
        self.config_path = path

    def resolve(self, wanted: Wanted) -> Pinned:
        everything = self.hub.resolve(lambda _: True)
        paths = [file.path for file in everything.files if wanted(file.path)]
        try:
            chosen = set(files_of(paths, self._readme(everything), self.subset, self.split))
        except LayoutError as error:
            message, path = f"{everything.uri}: {error.why}", f"{self.config_path}.{error.field}"
            raise FineTuneError(Reason.DATASET_INVALID, message, remedy=error.remedy, path=path) from error
        return self.hub.pinned(everything.revision, [file for file in everything.files if file.path in chosen])

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:
        self.hub.fetch(pinned, files, target)

    def _readme(self, everything: Pinned) -> str:
        found = [file for file in everything.files if file.path == README]
        self.hub.fetch(everything, found, self.scratch)
        return (self.scratch / README).read_text(encoding="utf-8", errors="replace") if found else ""
