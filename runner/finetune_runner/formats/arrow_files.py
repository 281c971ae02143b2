"""Parquet, and Arrow's own format (a file or a stream): rows a batch at a time, only the columns that are needed."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from finetune_runner.data.values import BadRowError, Row
from finetune_runner.formats.arrow_values import plain, readable
from finetune_runner.formats.errors import UnreadableFileError

BATCH = 256
"""Rows turned into Python objects at a time."""
READ_BUFFER = 2**20
"""Bytes of a column that are read ahead."""
FILE_MAGIC = b"ARROW1"


def read_parquet(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:
    """The rows with their numbers, from 1.

    Raises:
        UnreadableFileError: it is not Parquet, or is broken.
    """
    yield from _numbered(_parquet_batches(file, columns), "Parquet")


def read_arrow(file: Path, columns: Collection[str]) -> Iterator[tuple[int, Row | BadRowError]]:
    """The rows with their numbers, from 1.

    Raises:
        UnreadableFileError: it is not Arrow, or is broken.
    """
    yield from _numbered(_arrow_batches(file, columns), "Arrow")


def _numbered(batches: Iterator[Any], kind: str) -> Iterator[tuple[int, Row | BadRowError]]:
    import pyarrow as pa  # noqa: PLC0415

    number = 0
    try:
        for batch in batches:
            for at in range(0, batch.num_rows, BATCH):
                part = batch.slice(at, BATCH)
                part.validate(full=True)  # a damaged file's lengths may lead anywhere
                for row in readable(part).to_pylist():
                    number += 1
                    yield number, {column: plain(value) for column, value in row.items()}
    except UnreadableFileError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        why = f"not readable as {kind} after row {number}: {first}"
        raise UnreadableFileError(why, "Write the file anew, or set format.") from error


def _parquet_batches(file: Path, columns: Collection[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(file, buffer_size=READ_BUFFER, pre_buffer=False) as content:
        wanted = _wanted(content.schema_arrow.names, columns)
        yield from content.iter_batches(BATCH, columns=wanted, use_threads=False)


def _arrow_batches(file: Path, columns: Collection[str]) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415

    with file.open("rb") as content:
        is_file = content.read(len(FILE_MAGIC)) == FILE_MAGIC
    open_reader = pa.ipc.open_file if is_file else pa.ipc.open_stream
    with pa.OSFile(str(file)) as content:
        names = open_reader(content).schema.names
    wanted = _wanted(names, columns)
    fields = None if wanted is None else [names.index(name) for name in wanted]
    options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
    with pa.OSFile(str(file)) as content:
        reader = open_reader(content, options=options)
        if is_file:
            yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            yield from reader


def _wanted(names: list[str], columns: Collection[str]) -> list[str] | None:
    """The columns to read; None for all, where one is missing, so that a row can tell which there are.

    Raises:
        UnreadableFileError: one is there twice.
    """
    for column in columns:
        if names.count(column) > 1:
            raise UnreadableFileError(f"it has column {column!r} twice", "Give each column a name of its own.")
    return sorted(columns) if set(columns) <= set(names) else None
