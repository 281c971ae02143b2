"""One way to read every format."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune_runner.data.values import BadRowError, Row
from finetune_runner.formats import arrow_files, csv_file, json_array, json_lines

Read = Callable[[Path, Collection[str]], Iterator[tuple[int, Row | BadRowError]]]


@dataclass(frozen=True)
class Format:
    """How files of a format are read."""

    family: str
    """Formats of one family may stand side by side."""
    suffixes: tuple[str, ...]
    """Of files' names, from which the format is told."""
    unit: str
    """What rows are counted in."""
    read: Read
    """The rows of a file, each with its number. The columns are those that are needed; there may be more."""


FORMATS: dict[str, Format] = {
    "json": Format("JSON", (".json",), "item", json_array.read),
    "jsonl": Format("JSON", (".jsonl", ".ndjson"), "line", json_lines.read),
    "csv": Format("CSV", (".csv",), "line", csv_file.read),
    "parquet": Format("Parquet", (".parquet", ".pq"), "row", arrow_files.read_parquet),
    "arrow": Format("Arrow", (".arrow", ".feather", ".ipc"), "row", arrow_files.read_arrow),
}


def format_of(name: str) -> str:
    """The format that a file's name tells; empty where it tells none."""
    suffix = Path(name).suffix.lower()
    return next((key for key, known in FORMATS.items() if suffix in known.suffixes), "")
