"""The map in docs/architecture.md: whoever looks for a package finds it there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
ROOMS = (REPOSITORY / "docs/architecture.md").read_text().partition("\n## The rooms\n")[2]
RUNNER = "runner/finetune_runner"
PACKAGES = [
    str(init.parent.relative_to(REPOSITORY))
    for pattern in ("operator/*/__init__.py", f"{RUNNER}/*/__init__.py", "hack/*/__init__.py")
    for init in sorted(REPOSITORY.glob(pattern))
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_its_room(package):
    names = [f"`{package}`", f"`{Path(package).name}`"] if package.startswith(RUNNER) else [f"`{package}`"]
    assert [name for name in names if name in ROOMS]


def test_every_room_is_there():
    rooms = [line.split("|")[1].replace("`", "") for line in ROOMS.splitlines() if line.startswith("| `")]
    named = [name.strip() for room in rooms for name in room.partition("(")[0].replace(";", ",").split(",")]
    where = [REPOSITORY, REPOSITORY / RUNNER]
    assert [name for name in named if not any((folder / name).exists() for folder in where)] == []


def test_every_file_that_the_next_thing_goes_to_is_there():
    section = (REPOSITORY / "docs/development.md").read_text().partition("\n## Where the next thing goes\n")[2]
    named = set(re.findall(r"`([\w/]+\.(?:py|tpl|yaml|json))`", section.partition("\n## ")[0]))
    assert len(named) > 20
    assert [file for file in named if not _is_there(file)] == []


def _is_there(file):
    """A name without a folder may lie in any."""
    if "/" in file:
        return any((REPOSITORY / root / file).is_file() for root in ("", "operator", RUNNER))
    return any(found for root in ("operator", RUNNER, "charts", "tests") for found in (REPOSITORY / root).rglob(file))
