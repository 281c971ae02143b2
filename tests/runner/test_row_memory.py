"""Rows larger than memory stream: reading them takes little, whatever the format."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MEBIBYTE = 2**20
FILE_MEBIBYTES = 64
GROWTH_MEBIBYTES = 32
TEXT = "all work and no play " * 50
ROWS = FILE_MEBIBYTES * MEBIBYTE // len(TEXT)
BATCH = 4096

READ = """
import resource, sys
from pathlib import Path
from finetune_runner.data.examples import build_examples, distinct
from finetune_runner.datasets import RowsDigest
from row_files import data_config, row_files

def prepared(name):
    digest = RowsDigest()
    rows = row_files(Path(sys.argv[1]), name)
    return sum(1 for _ in distinct(build_examples(digest.over(rows), rows.config.preprocess, "")))

prepared("small" + sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = prepared("large" + sys.argv[2])
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def tables(rows):
    for begin in range(0, rows, BATCH):
        texts = [f"{number} {TEXT}" for number in range(begin, min(begin + BATCH, rows))]
        yield pa.table({"x": texts})


def write(file, rows):
    lines = (f"{number} {TEXT}" for number in range(rows))
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps({"x": line}) + "\n" for line in lines))
    elif file.suffix == ".json":
        file.write_text("[" + ",\n".join(json.dumps({"x": line}) for line in lines) + "]")
    elif file.suffix == ".csv":
        file.write_text("x\n" + "".join(f'"{line}"\n' for line in lines))
    elif file.suffix == ".parquet":
        with pq.ParquetWriter(file, pa.schema({"x": pa.string()}), compression="none", use_dictionary=False) as writer:
            writer.write_table(pa.concat_tables(tables(rows)), row_group_size=rows)  # one group: the hardest case
    else:
        with pa.ipc.new_stream(str(file), pa.schema({"x": pa.string()})) as writer:
            for table in tables(rows):
                writer.write_table(table)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet", ".arrow"])
def test_checking_a_large_file_takes_little_memory(tmp_path, suffix):
    write(tmp_path / f"small{suffix}", 2000)
    write(tmp_path / f"large{suffix}", ROWS)
    assert (tmp_path / f"large{suffix}").stat().st_size > FILE_MEBIBYTES * MEBIBYTE

    command = [sys.executable, "-c", READ, str(tmp_path), suffix]
    ended = subprocess.run(command, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True)

    count, growth_kibibytes = map(int, ended.stdout.split())
    assert count == ROWS
    assert growth_kibibytes < GROWTH_MEBIBYTES * 1024
