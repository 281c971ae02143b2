"""Rows from text files; what is wrong with a file is said with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_api.failures import FineTuneError, Reason
from row_files import PATH, refused, row_files, written

# JSON


def test_an_array_of_objects_is_rows(tmp_path):
    assert list(written(tmp_path, "a.json", '[{"x": 1}, {"x": 2}]')) == [{"x": 1}, {"x": 2}]


def test_an_object_a_line_is_rows_and_empty_lines_are_none(tmp_path):
    assert list(written(tmp_path, "a.jsonl", '{"x": 1}\n\n{"x": 2}\r\n')) == [{"x": 1}, {"x": 2}]


def test_a_declared_format_counts_more_than_the_files_name(tmp_path):
    assert list(written(tmp_path, "a.json", '{"x": 1}\n{"x": 2}', format="jsonl")) == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", '{"x": 1}'), ("a.json", '[{"x": 1}]'), ("a.csv", "x\n1")])
def test_a_byte_order_mark_is_no_part_of_the_rows(tmp_path, name, text):
    [row] = written(tmp_path, name, b"\xef\xbb\xbf" + text.encode())
    assert str(row["x"]) == "1"


def test_a_line_separator_inside_a_string_does_not_end_a_row(tmp_path):
    assert list(written(tmp_path, "a.jsonl", '{"x": "a\u2028b"}\n')) == [{"x": "a\u2028b"}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"x": 1}\n{"x": \n', "line 2 of a.jsonl: not JSON: Expecting value"),
        ("a.jsonl", '{"x": 1}\n[1]\n', "line 2 of a.jsonl: an array, not an object"),
        ("a.jsonl", '{"x": 1}\n' + "[" * 99999, "line 2 of a.jsonl: nested too deeply"),
        ("a.jsonl", '{"x": 1}\n{"x": ' + "9" * 5000 + "}", "line 2 of a.jsonl: a number with too many digits"),
        ("a.jsonl", b'{"x": 1}\n{"x": "a\xff"}', "line 2 of a.jsonl: not UTF-8: byte 8"),
        ("a.json", '[{"x": 1}, "x"]', "item 2 of a.json: a string, not an object"),
        ("a.json", '[{"x": 1}, null]', "item 2 of a.json: null, not an object"),
        ("a.json", '[{"x": 1}, {"x": }]', "a.json: not JSON after item 1: Expecting value (line 1)"),
        ("a.json", '[\n{"x": 1},\n]', "a.json: not JSON after item 1: Expecting value (line 3)"),
        ("a.json", '[\n{"x": 1}\n{"x": 2}]', "a.json: not JSON after item 1: Expecting ',' delimiter (line 3)"),
        ("a.json", '[{"x": 1},\n{"x": 2, {"x": 3}]', "a.json: not JSON after item 1: Expecting property name"),
        (
            "a.json",
            '[{"x": 1},\n{"x: 2},\n{"x": 3}]',
            "a.json: not JSON after item 1: Invalid control character at (line 2)",
        ),
        ("a.json", b'[{"x": 1}, {"x": "\xff"}]', "item 2 of a.json: not UTF-8"),
        ("a.json", "[", "a.json: not JSON after item 0: the file ends in the middle"),
        ("a.json", '[{"x": 1}', "a.json: not JSON after item 1: the file ends in the middle"),
        ("a.json", '[{"x": 1},', "a.json: not JSON after item 1: the file ends in the middle"),
        ("a.json", '[{"x": 1}, {"x": "an', "a.json: not JSON after item 1: the file ends in the middle"),
        ("a.json", '[{"x": 1}, {"x": ' + "[" * 99999, "a.json: item 2 is nested too deeply"),
        ("a.json", '[{"x": 1}, {"x": ' + "9" * 5000 + "}]", "a.json: item 2 has a number with too many digits"),
        ("a.json", '[{"x": 1}]\n[{"x": 2}]', "a.json: something stands behind the array, which ends with item 1"),
        ("a.json", '{"x": \n1}', "a.json: an object, not an array of objects"),
        ("a.json", '{"x": 1}\n{"x": 2}', "a.json: one object a line, which is not the format json"),
        ("a.json", '{"x": "' + "x" * 2**20 + '"}\n', "a.json: one object a line, which is not the format json"),
        ("a.json", '"x"', "a.json: not an array of objects"),
        ("a.csv", "x,y\n1,2\n1,2,3\n", "line 3 of a.csv: 3 fields, but the header names 2"),
        ("a.csv", 'x\n"1" 2\n', "line 2 of a.csv: not CSV: "),
        ("a.csv", "y,x\n1,2\n3\n", "line 3 of a.csv: column 'x' is null"),
        ("a.csv", "x,y,x\n1,2,3\n", "a.csv: the header names column 'x' twice"),
        ("a.csv", b"x\n\xff\n", "a.csv: not UTF-8 after line "),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, text, message):
    error = refused(written(tmp_path, name, text))
    assert error.message.startswith(message)
    assert error.path.startswith(f"{PATH}.")
    assert error.remedy


@pytest.mark.parametrize(("name", "form"), [("a.jsonl", "%s"), ("a.json", "[%s]")])
def test_both_forms_of_json_have_the_same_values(tmp_path, name, form):
    text = r"""{"x": "\ud83d\ude00", "y": 18446744073709551616, "unused": "\ud83d"}"""
    [row] = written(tmp_path, name, form % text, columns=["x", "y"])
    assert row == {"x": "😀", "y": 18446744073709551616}


@pytest.mark.parametrize(("name", "form"), [("line 1 of a.jsonl", "%s"), ("item 1 of a.json", "[%s]")])
@pytest.mark.parametrize("half", [r"a\ud83d", r"\ude00b", r"\ud83d\u0041", r"\ude00\ud83d"])
def test_half_of_a_surrogate_pair_is_a_bad_row_and_never_another_character(tmp_path, name, form, half):
    error = refused(written(tmp_path, name.split()[-1], form % f'{{"x": "{half}"}}'))
    assert error.message == f"{name}: column 'x' holds half of a surrogate pair, which is no text"
    assert error.path == f"{PATH}.source"


def test_a_columns_name_that_is_no_text_can_be_told(tmp_path):
    error = refused(written(tmp_path, "a.jsonl", r'{"\ud83d": 1}'))
    assert error.remedy == r"The columns there are: \ud83d."


@pytest.mark.parametrize(
    ("name", "begins", "where"),
    [("a.json", '[{"x": 1},\n{"x": "', "item 2 (line 2)"), ("a.jsonl", '{"x": 1}\n{"x": "', "line 2")],
)
def test_a_row_without_an_end_is_refused_before_it_fills_the_memory(tmp_path, name, begins, where):
    error = refused(written(tmp_path, name, begins + "a, " * 2**25))
    assert error.message == f"{name}: {where} is longer than 64 MiB"
    assert error.remedy


def test_lines_declared_as_json_are_recognised(tmp_path):
    error = refused(written(tmp_path, "a.json", '{"x": 1}\n{"x": 2}'))
    assert error.remedy == "Set format: jsonl."
    assert error.path == f"{PATH}.format"


def test_a_name_that_tells_no_format_needs_one_declared(tmp_path):
    error = refused(written(tmp_path, "rows.data", "[]"))
    assert error.path == f"{PATH}.format"
    assert "json, jsonl, csv, parquet, arrow" in error.remedy


def test_a_data_set_without_rows_is_refused(tmp_path):
    assert "no rows: a.json" in refused(written(tmp_path, "a.json", "[]")).message


def test_several_files_are_read_in_order_of_their_names(tmp_path):
    (tmp_path / "b.jsonl").write_text('{"x": 2}')
    (tmp_path / "a.jsonl").write_text('{"x": 1}')
    assert list(row_files(tmp_path, "b.jsonl", "a.jsonl")) == [{"x": 1}, {"x": 2}]


def test_rows_can_be_gone_through_again(tmp_path):
    rows = written(tmp_path, "a.json", '[{"x": 1}, {"x": 2}]')
    assert list(rows) == list(rows)


def test_a_row_has_only_the_columns_that_become_text(tmp_path):
    assert list(written(tmp_path, "a.jsonl", '{"x": 1, "secret": 2}')) == [{"x": 1}]


@given(st.binary(max_size=60), st.sampled_from(["json", "jsonl", "csv", "arrow"]))
def test_whatever_a_file_holds_it_is_rows_or_a_named_fault(tmp_path_factory, data, declared):
    rows = written(tmp_path_factory.getbasetemp(), "file", data, format=declared)
    try:
        found = list(rows)
    except FineTuneError as error:
        reason = error.reason
    else:
        reason = None
        assert all(isinstance(row["x"], (str, int, float)) for row in found)
    assert reason in (None, Reason.DATASET_INVALID)


# CSV


def test_a_csvs_values_are_text_as_it_stands_there(tmp_path):
    text = 'y,x\n"a, ""b""\nc",007\n,1.50\n\n"NA",\n'
    assert list(written(tmp_path, "a.csv", text, columns=["x", "y"])) == [
        {"x": "007", "y": 'a, "b"\nc'},
        {"x": "1.50", "y": ""},
        {"x": "", "y": "NA"},
    ]


def test_a_bad_line_of_a_csv_is_counted_by_the_files_lines(tmp_path):
    rows = written(tmp_path, "a.csv", 'x\n"two\nlines"\n1,2\n3\n', maxBadRows=1)
    assert list(rows) == [{"x": "two\nlines"}, {"x": "3"}]
    assert rows.bad.named == ["line 4 of a.csv: 2 fields, but the header names 1"]


def test_the_lines_that_a_misplaced_quote_takes_with_it_are_bad_rows_too(tmp_path):
    text = 'x\none\n"two\nthree\n"four" x\nfive\n"six\nseven\n'
    rows = written(tmp_path, "a.csv", text, maxBadRows=5)
    assert list(rows) == [{"x": "one"}, {"x": "five"}]
    assert rows.bad.count == 5
    assert rows.bad.named[0].startswith("line 3 of a.csv: not CSV: ")
    assert rows.bad.named[1] == "line 4 of a.csv: lost with line 3, where a quote is missing or misplaced"
    assert "5 bad rows, and maxBadRows is 4" in refused(written(tmp_path, "a.csv", text, maxBadRows=4)).message


# Filters, limits


def test_a_filter_keeps_rows_by_their_value_as_text(tmp_path):
    lines = '{"x": 1, "n": 3}\n{"x": 2, "n": "3"}\n{"x": 3, "n": null}\n{"x": 4, "n": true}\n{"x": 5, "n": 4}\n'
    rows = written(tmp_path, "a.jsonl", lines, filters=[{"column": "n", "values": ["3", "true"]}])
    assert [row["x"] for row in rows] == [1, 2, 4]


def test_every_filter_must_keep_a_row(tmp_path):
    filters = [{"column": "n", "values": ["1", "2"]}, {"column": "x", "values": ["2"]}]
    rows = written(tmp_path, "a.csv", "x,n\n1,1\n2,2\n2,3\n", filters=filters)
    assert list(rows) == [{"x": "2"}]


def test_what_a_filter_leaves_out_need_not_be_good(tmp_path):
    lines = '{"x": null, "n": 1}\n{"x": "a", "n": 2}\n'
    assert list(written(tmp_path, "a.jsonl", lines, filters=[{"column": "n", "values": ["2"]}])) == [{"x": "a"}]


def test_a_filters_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    error = refused(written(tmp_path, "a.jsonl", '{"x": 1}', filters=[{"column": "lang", "values": ["en"]}]))
    assert error.path == f"{PATH}.filters[0].column"
    assert error.remedy == "The columns there are: x."


def test_filters_that_keep_nothing_are_said_to(tmp_path):
    error = refused(written(tmp_path, "a.csv", "x\n1\n", filters=[{"column": "x", "values": ["2"]}]))
    assert error.message == "the filters keep no row of a.csv"


def test_the_first_rows_after_filtering_are_used_and_nothing_behind_them_is_read(tmp_path):
    lines = '{"x": 1}\n{"x": 2}\n{"x": 1, "second": 1}\n{"x": 1}\nbroken'
    rows = written(tmp_path, "a.jsonl", lines, maxSamples=3, filters=[{"column": "x", "values": ["1"]}])
    assert list(rows) == [{"x": 1}] * 3


# Bad rows

BROKEN = '{"x": 1}\n[]\n{"y": 2}\n{"x": null}\n{"x": [1]}\n{"x": 2}\n'


def test_bad_rows_within_the_limit_are_left_out_counted_and_named(tmp_path):
    rows = written(tmp_path, "a.jsonl", BROKEN, maxBadRows=4)
    assert list(rows) == [{"x": 1}, {"x": 2}]
    assert rows.bad.count == 4
    assert rows.bad.named == [
        "line 2 of a.jsonl: an array, not an object",
        "line 3 of a.jsonl: no column 'x'",
        "line 4 of a.jsonl: column 'x' is null",
    ]


def test_more_bad_rows_than_the_limit_fail_with_the_first_ones_named(tmp_path):
    error = refused(written(tmp_path, "a.jsonl", BROKEN, maxBadRows=3))
    assert error.message.startswith(
        "4 bad rows, and maxBadRows is 3: line 2 of a.jsonl: an array, not an object; line 3"
    )
    assert error.remedy.endswith("Or raise maxBadRows.")


def test_without_a_limit_several_bad_rows_are_named_at_once(tmp_path):
    message = refused(written(tmp_path, "a.jsonl", BROKEN)).message
    assert [part.split(":")[0] for part in message.split("; ")] == [f"line {n} of a.jsonl" for n in (2, 3, 4)]


def test_where_all_rows_are_bad_no_limit_helps_and_none_is_proposed(tmp_path):
    rows = written(tmp_path, "a.csv", "y\n1\n2\n3\n")
    assert refused(rows).remedy == "The columns there are: y."
    error = refused(written(tmp_path, "a.csv", "y\n1\n2\n3\n", maxBadRows=9))
    assert error.message == "every row of a.csv is bad, such as line 2 of a.csv: no column 'x'"


def test_a_conversation_that_is_none_is_a_bad_row(tmp_path):
    good = '{"m": [{"role": "user", "content": "hi"}]}\n'
    rows = written(
        tmp_path, "a.jsonl", good + '{"m": "hi"}\n', preprocess={"chat": {"messagesColumn": "m"}}, maxBadRows=1
    )
    assert len(list(rows)) == 1
    assert rows.bad.named == ["line 2 of a.jsonl: column 'm' is not a list of messages"]
