"""Rows from Parquet and Arrow: their values as JSON would have them."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from row_files import PATH, refused, row_files, written

COLUMNS = ["flag", "number", "small", "price", "day", "moment", "local"]
TABLE = pa.table(
    {
        "flag": [True],
        "number": pa.array([7], pa.uint8()),
        "small": pa.array([0.1], pa.float32()),
        "price": pa.array([Decimal("1.50")], pa.decimal128(6, 2)),
        "day": [dt.date(2024, 2, 29)],
        "moment": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "Europe/Berlin")),
        "local": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5)], pa.timestamp("s")),  # noqa: DTZ001  it has no zone
        "picture": [b"\xff"],
    }
)


def save(table, file):
    if file.suffix == ".parquet":
        pq.write_table(table, file, row_group_size=2)
    elif file.suffix == ".feather":
        with pa.ipc.new_file(str(file), table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    else:
        with pa.ipc.new_stream(str(file), table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return file.name


@pytest.fixture(params=["rows.parquet", "rows.feather", "rows.arrow"])
def file(request, tmp_path):
    """Parquet, Arrow's file format, Arrow's stream."""
    return tmp_path / request.param


def test_values_are_those_of_json(file):
    [row] = row_files(file.parent, save(TABLE, file), columns=COLUMNS)
    assert row == {
        "flag": True,
        "number": 7,
        "small": 0.1,
        "price": "1.50",
        "day": "2024-02-29",
        "moment": "2023-11-14T22:13:20.123456+00:00",
        "local": "2024-01-02T03:04:05",
    }


def test_rows_of_several_batches_are_numbered_through_and_a_null_is_a_bad_row(file):
    table = pa.table({"x": ["a", None, "c", "", None], "unused": [None] * 5})
    rows = row_files(file.parent, save(table, file), maxBadRows=2)
    assert list(rows) == [{"x": "a"}, {"x": "c"}, {"x": ""}]
    assert [text.partition(":")[0] for text in rows.bad.named] == [f"row 2 of {file.name}", f"row 5 of {file.name}"]
    assert rows.bad.named[0].endswith("column 'x' is null")


def test_a_conversation_is_a_list_of_messages_without_the_members_it_does_not_use(file):
    messages = [{"role": "user", "content": "hi", "name": None}, {"role": "assistant", "content": "ho", "name": "a"}]
    table = pa.table({"messages": [messages]})
    [row] = row_files(file.parent, save(table, file), preprocess={"chat": {}})
    assert row == {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho", "name": "a"}]}


def test_a_missing_column_is_named_with_all_that_there_are(file):
    error = refused(row_files(file.parent, save(TABLE, file), columns=["text"]))
    assert error.message == f"row 1 of {file.name}: no column 'text'"
    assert "flag, number" in error.remedy
    assert error.path == f"{PATH}.preprocess.textColumns"


def test_a_column_that_is_needed_must_be_there_once(file):
    table = pa.table([pa.array(["a"]), pa.array(["b"]), pa.array([1]), pa.array([2])], names=["x", "x", "y", "y"])
    error = refused(row_files(file.parent, save(table, file), columns=["x"]))
    assert error.message == f"{file.name}: it has column 'x' twice"


def test_bytes_are_no_text(file):
    assert (
        "column 'picture' is binary" in refused(row_files(file.parent, save(TABLE, file), columns=["picture"])).message
    )


def test_dictionaries_are_their_values_and_filters_see_them(file):
    table = pa.table({"x": pa.array(["a", "b", "a"]).dictionary_encode(), "label": [0, 1, 1]})
    rows = row_files(file.parent, save(table, file), filters=[{"column": "label", "values": ["1"]}])
    assert list(rows) == [{"x": "b"}, {"x": "a"}]


def test_a_file_that_is_something_else_is_named(file):
    error = refused(written(file.parent, file.name, "x,y\n1,2\n"))
    kind = "Parquet" if file.suffix == ".parquet" else "Arrow"
    assert error.message.startswith(f"{file.name}: not readable as {kind} after row 0: ")


@pytest.mark.parametrize("content", [b"\xff", b"\xed\xa0\xbd"], ids=["Latin-1", "half of a surrogate pair"])
def test_text_that_is_not_utf_8_is_refused(file, content):
    offsets = pa.array([0, len(content)], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(content)])
    error = refused(row_files(file.parent, save(pa.table({"x": text}), file)))
    assert error.message.startswith(f"{file.name}: not readable as ")
    assert "Invalid UTF8" in error.message


def test_a_file_that_ends_early_is_named(file):
    save(pa.table({"x": ["a" * 99] * 9}), file)
    error = refused(written(file.parent, file.name, file.read_bytes()[:-60]))
    assert error.message.startswith(f"{file.name}: not readable as ")
