"""Rows of the data configs: pinned and rendered in prepare, read again in a stage."""

from collections.abc import Sequence
from pathlib import Path

from finetune_api.cache_key import digest_of
from finetune_api.resource.data import DataConfig
from finetune_runner.data.examples import build_examples, distinct
from finetune_runner.job import Job
from finetune_runner.layout import PodLayout
from finetune_runner.prepared import PreparedData
from finetune_runner.sources import rows as row_files
from finetune_runner.sources.opening import open_source
from finetune_runner.sources.source import Pinned, Source, changed


def resolve(job: Job, index: int) -> PreparedData:
    """A data config's rows, pinned; every row has been read and rendered.

    Raises:
        FineTuneError: DatasetInvalid, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    config, path = job.spec.data_configs[index], f"spec.dataConfigs[{index}]"
    pinned, rows = current(config, job.layout, path)
    examples = build_examples(rows, config.preprocess, f"{path}.preprocess")
    return PreparedData(
        name=config.name,
        source=pinned,
        digest=rows_digest(rows),
        rows=len(rows),
        distinct=sum(1 for _ in distinct(examples)),
    )


def current(config: DataConfig, layout: PodLayout, path: str) -> tuple[Pinned, list[row_files.Row]]:
    """A data config's rows as they are now.

    Args:
        config: says where from.
        layout: where secrets, volumes and scratch space are.
        path: its place in the spec, such as spec.dataConfigs[0].

    Raises:
        FineTuneError: DatasetInvalid, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = _source(config, layout, path)
    pinned = source.resolve(_wanted(config))
    return pinned, _fetched(source, pinned, config, path, layout.folder("prepare", "data", config.name))


def read(job: Job, prepared: PreparedData) -> list[row_files.Row]:
    """The rows that prepare saw.

    Raises:
        FineTuneError: DatasetInvalid, when they have changed since.
    """
    names = [config.name for config in job.spec.data_configs]
    index = names.index(prepared.name)
    config, path = job.spec.data_configs[index], f"spec.dataConfigs[{index}]"
    source = _source(config, job.layout, path)
    rows = _fetched(source, prepared.source, config, path, job.layout.folder("data", config.name))
    if rows_digest(rows) != prepared.digest:
        raise changed("dataset", prepared.source.uri, source.path)
    return rows


def rows_digest(rows: Sequence[row_files.Row]) -> str:
    """sha256 (hex) over the rows, their order included: the same rows from elsewhere are the same."""
    return digest_of(list(rows))


def _source(config: DataConfig, layout: PodLayout, path: str) -> Source:
    return open_source(config.source, kind="dataset", layout=layout, path=f"{path}.source")


def _wanted(config: DataConfig) -> row_files.Wanted:
    if config.source.hugging_face:
        return row_files.matching(config.source.hugging_face.files)
    return row_files.is_wanted


def _fetched(source: Source, pinned: Pinned, config: DataConfig, path: str, folder: Path) -> list[row_files.Row]:
    source.fetch(pinned, pinned.files, folder)
    return row_files.read_rows(folder, [file.path for file in pinned.files], config.format, path)
