"""Olive configs of any kind, for properties of the importer."""

import json
from typing import Any

from hypothesis import strategies as st

from command_line import REPOSITORY
from olive_configs import changed
from olive_table import MEASURED, rows

SEED = json.loads((REPOSITORY / "examples" / "olive" / "olive-config.json").read_text())
ROWS = list(rows())
TEXTS = ["", "x", "yes", "1e-4", "a/b", "../a", "s3://b/c", "https://a/b", "{a}", "{", "\n", "ä", "\0", "a" * 300]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(TEXTS), st.text(max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TEXTS, "type", "config"]), inner),
    max_leaves=6,
)
EXAMPLES = st.sampled_from([row.example for row in ROWS])


@st.composite
def configs(draw: st.DrawFn) -> Any:
    """A config in which some values are others, of any kind, or of another key."""
    config = draw(st.sampled_from([MEASURED, SEED]))
    for _ in range(draw(st.integers(0, 3))):
        places = [steps for steps in _places(config) if steps]
        config = changed(config, (draw(st.sampled_from(places)), draw(EXAMPLES | VALUES)))
    return config


def _places(value: Any, steps: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [steps, *(place for key, item in inner for place in _places(item, (*steps, key)))]
