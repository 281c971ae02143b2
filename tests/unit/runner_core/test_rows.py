"""Rows from JSON and JSON Lines; what is wrong with a file is said with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.sources.rows import parse, read_rows

PATH = "spec.dataConfigs[0]"


def refused(name, data, declared="auto") -> FineTuneError:
    with pytest.raises(FineTuneError) as caught:
        parse(name, data, declared, PATH)
    assert caught.value.reason is Reason.DATASET_INVALID
    return caught.value


def test_an_array_of_objects_is_rows():
    assert parse("a.json", b'[{"x": 1}, {"x": 2}]', "auto", PATH) == [{"x": 1}, {"x": 2}]


def test_an_object_a_line_is_rows_and_empty_lines_are_none():
    assert parse("a.jsonl", b'{"x": 1}\n\n{"x": 2}\r\n', "auto", PATH) == [{"x": 1}, {"x": 2}]


def test_a_declared_format_counts_more_than_the_files_name():
    assert parse("a.json", b'{"x": 1}\n{"x": 2}', "jsonl", PATH) == [{"x": 1}, {"x": 2}]


def test_a_byte_order_mark_is_no_part_of_the_first_row():
    assert parse("a.jsonl", b'\xef\xbb\xbf{"x": 1}', "auto", PATH) == [{"x": 1}]


def test_a_line_separator_inside_a_string_does_not_end_a_row():
    assert parse("a.jsonl", '{"x": "a\u2028b"}\n'.encode(), "auto", PATH) == [{"x": "a\u2028b"}]


def test_a_line_that_is_not_json_is_named():
    error = refused("a.jsonl", b'{"x": 1}\n{"x": \n')
    assert "line 2 of a.jsonl is not JSON" in error.message


def test_a_line_that_is_no_object_is_named():
    assert "line 2 of a.jsonl is an array" in refused("a.jsonl", b'{"x": 1}\n[1]\n').message


def test_an_item_that_is_no_object_is_named():
    assert "item 2 of a.json is a string" in refused("a.json", b'[{"x": 1}, "x"]').message


def test_a_single_object_is_no_array():
    assert "holds an object, not an array" in refused("a.json", b'{"x": 1}').message


def test_lines_declared_as_json_are_recognised():
    error = refused("a.json", b'{"x": 1}\n{"x": 2}')
    assert error.remedy == "Set format: jsonl."
    assert error.path == f"{PATH}.format"


def test_a_name_that_tells_no_format_needs_one_declared():
    assert refused("rows.data", b"[]").path == f"{PATH}.format"


def test_what_is_not_utf8_is_refused():
    assert "not UTF-8: byte 8" in refused("a.jsonl", b'{"x": "a\xff"}').message


def test_a_data_set_without_rows_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(FineTuneError, match="no rows"):
        read_rows(tmp_path, ["a.json"], "auto", PATH)


def test_several_files_are_read_in_order_of_their_names(tmp_path):
    (tmp_path / "b.jsonl").write_text('{"x": 2}')
    (tmp_path / "a.jsonl").write_text('{"x": 1}')
    assert read_rows(tmp_path, ["b.jsonl", "a.jsonl"], "auto", PATH) == [{"x": 1}, {"x": 2}]


@given(st.binary(max_size=60), st.sampled_from(["json", "jsonl"]))
def test_whatever_a_file_holds_it_is_rows_or_a_named_fault(data, declared):
    try:
        rows = parse("file", data, declared, PATH)
    except FineTuneError as error:
        reason = error.reason
    else:
        reason = None
        assert all(isinstance(row, dict) for row in rows)
    assert reason in (None, Reason.DATASET_INVALID)
