"""Rows of the data configs: pinned and rendered in prepare, read again in a stage."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from finetune_api.resource.data import DataConfig
from finetune_runner.data.examples import build_examples, distinct
from finetune_runner.data.values import Row
from finetune_runner.job import Job
from finetune_runner.layout import PodLayout
from finetune_runner.prepared import PreparedData
from finetune_runner.sources.opening import open_rows
from finetune_runner.sources.rows import RowFiles
from finetune_runner.sources.selection import check_files, wanted_files
from finetune_runner.sources.source import Pinned, Source, changed

log = logging.getLogger(__name__)


def resolve(job: Job, index: int) -> PreparedData:
    """A data config's rows, pinned; every row has been read and rendered.

    Raises:
        FineTuneError: DatasetInvalid, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    config, path = job.spec.data_configs[index], f"spec.dataConfigs[{index}]"
    pinned, rows = current(config, job.layout, path)
    digest = RowsDigest()
    examples = build_examples(digest.over(rows), config.preprocess, f"{path}.preprocess")
    different = sum(1 for _ in distinct(examples))
    for named in rows.bad.named:
        log.warning("data %s: left out %s", config.name, named)
    return PreparedData(
        name=config.name,
        source=pinned,
        digest=digest.hexdigest(),
        rows=digest.rows,
        distinct=different,
        bad_rows=rows.bad.count,
        bad_rows_named=rows.bad.named,
    )


def current(config: DataConfig, layout: PodLayout, path: str) -> tuple[Pinned, RowFiles]:
    """A data config's rows as they are now; none has been read yet.

    Args:
        config: says where from.
        layout: where secrets, volumes and scratch space are.
        path: its place in the spec, such as spec.dataConfigs[0].

    Raises:
        FineTuneError: DatasetInvalid, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = open_rows(config, layout=layout, path=path)
    pinned = source.resolve(wanted_files(config))
    check_files(pinned, config, path)
    return pinned, _fetched(source, pinned, config, path, layout.folder("prepare", "data", config.name))


def read(job: Job, prepared: PreparedData) -> RowFiles:
    """The rows that prepare saw.

    Raises:
        FineTuneError: DatasetInvalid, when they have changed since.
    """
    names = [config.name for config in job.spec.data_configs]
    index = names.index(prepared.name)
    config, path = job.spec.data_configs[index], f"spec.dataConfigs[{index}]"
    source = open_rows(config, layout=job.layout, path=path)
    rows = _fetched(source, prepared.source, config, path, job.layout.folder("data", config.name))
    digest = RowsDigest()
    for _ in digest.over(rows):
        pass
    if digest.hexdigest() != prepared.digest:
        raise changed("dataset", prepared.source.uri, source.path)
    return rows


class RowsDigest:
    """sha256 over rows, their order included, as they go through: the same rows from elsewhere are the same.

    That of cache_key.digest_of for the list of them.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256(b"[")

    def over(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, unchanged."""
        for row in rows:
            text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            self._hash.update(("," if self.rows else "").encode() + text.encode())
            self.rows += 1
            yield row

    def hexdigest(self) -> str:
        """Of all that went through."""
        whole = self._hash.copy()
        whole.update(b"]")
        return whole.hexdigest()


def _fetched(source: Source, pinned: Pinned, config: DataConfig, path: str, folder: Path) -> RowFiles:
    source.fetch(pinned, pinned.files, folder)
    return RowFiles(folder, [file.path for file in pinned.files], config, path)
