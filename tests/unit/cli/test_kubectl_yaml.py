"""YAML is read as kubectl reads it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_cli.kubectl_yaml import ManifestError, load_documents


def value(text: str):
    [document] = load_documents(f"v: {text}")
    return document["v"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 0.0001),
        ("1.0e-4", 0.0001),
        ("2E3", 2000),
        (".5", 0.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("010", 8),
        ("0o10", 8),
        ("0b11", 3),
        ("08", 8),
        ("-3", -3),
        ("16.0", 16),
        ("yes", True),
        ("On", True),
        ("y", True),
        ("no", False),
        ("OFF", False),
        ('"yes"', "yes"),
        ("'1e-4'", "1e-4"),
        ("~", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("12:30:45", "12:30:45"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
    ],
)
def test_a_plain_scalar_means_what_kubectl_takes_it_for(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_a_key_given_twice_is_refused_with_its_line():
    with pytest.raises(ManifestError, match="line 3: key 'a' is given twice"):
        load_documents("a: 1\nb: 2\na: 3\n")


def test_a_key_given_twice_is_refused_in_json_too():
    with pytest.raises(ManifestError, match="line 2: key 'a' is given twice"):
        load_documents('{"a": 1,\n"a": 2}')


@pytest.mark.parametrize("comment", ["// why", "/* why */"])
@pytest.mark.parametrize("text", ['{"a": 1, COMMENT\n"b": 2}', '{COMMENT\n"b": 2}', '{"a": 1 COMMENT\n, "b": 2}'])
def test_a_comment_in_json_is_called_one(text, comment):
    with pytest.raises(ManifestError, match=r"line 1: JSON has no comments \(take it out, or begin it with #\)"):
        load_documents(text.replace("COMMENT", comment))


def test_slashes_in_yaml_are_text():
    assert load_documents("{a: //x, b: /*, c: s3://d}") == [{"a": "//x", "b": "/*", "c": "s3://d"}]


def test_a_part_of_a_json_object_is_called_one():
    with pytest.raises(ManifestError, match=r"part of a JSON object\? put \{ \} around it"):
        load_documents('"a": {"b": 1},\n"c": 2\n')


def test_a_key_that_is_an_object_is_refused_with_its_line():
    with pytest.raises(ManifestError, match="line 2: a key is neither text nor number"):
        load_documents("a: 1\nname: {{ .Release.Name }}\n")


def test_keys_become_text():
    assert load_documents("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]


def test_a_merge_key_merges():
    assert load_documents("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3\n")[0]["b"] == {"k": 1, "l": 3}


def test_several_documents_come_in_order_without_empty_ones():
    assert load_documents("---\na: 1\n---\n---\na: 2\n") == [{"a": 1}, {"a": 2}]


def test_a_malformed_text_is_refused_with_its_line():
    with pytest.raises(ManifestError, match="line 3"):
        load_documents("a: 1\nb: [\n")


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999"])
def test_what_json_cannot_hold_is_refused(text):
    with pytest.raises(ManifestError):
        value(text)


def test_aliases_of_aliases_do_not_fill_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(ManifestError, match="too large"):
        load_documents("\n".join(lines))


def test_a_list_that_holds_itself_is_refused():
    with pytest.raises(ManifestError):
        load_documents("a: &a [*a]")


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ManifestError):
        assert isinstance(load_documents(text), list)
