"""Rows that stand in the spec itself."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from finetune_api.resource.data import DataConfig
from finetune_runner.sources.source import Pinned, PinnedFile, Wanted, identity
from finetune_runner.store.paths import below


class InlineSource:
    """Satisfies Source: one file, named by the format that is set or that the text's beginning tells."""

    def __init__(self, text: str, declared: str, *, path: str) -> None:
        self.path = path
        self.content = text.encode()
        self.name = f"inline.{declared if declared != 'auto' else _begins_as(text)}"

    def resolve(self, wanted: Wanted) -> Pinned:  # noqa: ARG002  a file itself is wanted whatever its name
        digest = hashlib.sha256(self.content).hexdigest()
        files = [PinnedFile(path=self.name, size=len(self.content), sha256=digest)]
        return Pinned(uri="inline", digest=identity(files), files=files, single=True)

    def fetch(self, pinned: Pinned, files: Iterable[PinnedFile], target: Path) -> None:  # noqa: ARG002
        below(target, self.name).write_bytes(self.content)


def inline_source(config: DataConfig, *, path: str) -> InlineSource:
    assert config.source.inline is not None  # noqa: S101  the caller has looked
    return InlineSource(config.source.inline.text, config.format, path=path)


def _begins_as(text: str) -> str:
    first = text.lstrip()[:1]
    return {"[": "json", "{": "jsonl"}.get(first, "csv")
