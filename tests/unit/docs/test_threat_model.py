"""docs/threat-model.md: whatever is said to stop an attack is shown by a test. That it is there: test_links.py."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "threat-model.md").read_text()
TABLES = re.findall(r"^\| attack \| what stops it \| test \|\n\|[- |]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
TEST = re.compile(r"`tests/[\w/]+\.py(?:::\w+)?`")


def test_every_attack_that_something_stops_has_a_test() -> None:
    rows = [row.strip("|\n").split(" | ") for table in TABLES for row in table.splitlines()]
    assert len(TABLES) == 4
    assert [cells[0] for cells in rows if len(cells) != 3 or not TEST.search(cells[2])] == []
