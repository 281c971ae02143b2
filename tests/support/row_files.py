"""Files of rows, read as a data config says."""

from pathlib import Path
from typing import Any

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataConfig
from finetune_runner.sources.rows import RowFiles

PATH = "spec.dataConfigs[0]"


def data_config(columns: list[str] | None = None, **fields: Any) -> DataConfig:
    wire = {"name": "x", "source": {"s3": {"uri": "s3://bucket/set"}}, "preprocess": {"textColumns": columns or ["x"]}}
    return DataConfig.model_validate(wire | fields)


def row_files(folder: Path, *names: str, columns: list[str] | None = None, **fields: Any) -> RowFiles:
    """Rows of files in a folder, with columns as text, or `preprocess`; further fields are the data config's."""
    return RowFiles(folder, names, data_config(columns, **fields), PATH)


def written(folder: Path, name: str, content: str | bytes, **fields: Any) -> RowFiles:
    """Rows of a file with this content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return row_files(folder, name, **fields)


def refused(rows: RowFiles) -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        list(rows)
    assert caught.value.reason is Reason.DATASET_INVALID
    return caught.value
