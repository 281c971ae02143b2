"""The items of a JSON array, taken from a text that is read a part at a time."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_runner.formats import json_items
from finetune_runner.formats.errors import UnreadableFileError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


def taken(text):
    return [item for item, _ in json_items.items_of(io.StringIO(text[1:]))]


@pytest.fixture(scope="module", autouse=True)
def _read_by_the_character():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_items, "PART", 1)
        yield


@given(st.lists(VALUES), st.sampled_from([None, 2]), st.booleans())
def test_items_are_those_of_the_array_wherever_its_parts_end(values, indent, ascii_only):
    assert taken(json.dumps(values, indent=indent, ensure_ascii=ascii_only)) == values


@given(st.lists(VALUES, min_size=1), st.data())
def test_an_array_that_is_cut_off_anywhere_is_refused(values, data):
    text = json.dumps(values)
    cut = data.draw(st.integers(1, len(text) - 1))
    with pytest.raises(UnreadableFileError):
        taken(text[:cut])


def test_each_item_comes_with_its_source():
    found = json_items.items_of(io.StringIO(' {"x":  1} , 2]'))
    assert list(found) == [({"x": 1}, '{"x":  1}'), (2, "2")]
