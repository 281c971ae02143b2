"""Whatever a page of the documentation refers to is there: files, headings, tests."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from finetune_api.api_reference import render

REPOSITORY = Path(__file__).parents[3]
PAGES = [
    page
    for pattern in ("*.md", "docs/*.md", "examples/**/*.md", "hack/**/*.md", "benchmarks/**/*.md")
    for page in sorted(REPOSITORY.glob(pattern))
]
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"(?<![\w./-])(?:docs|tests|operator|runner|hack|examples|charts|crds|benchmarks)/[\w./*-]*\w")
TEST = re.compile(r"\b(tests/[\w/]+\.py)::(\w+)")


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@cache
def prose(page: Path) -> str:
    """The page without blocks of code."""
    return FENCED.sub("", page.read_text())


@cache
def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_is_there(page):
    named = {file for file in FILE.findall(page.read_text()) if not any(REPOSITORY.glob(file))}
    assert named == set()


def test_every_test_that_a_page_names_is_there():
    named = {(file, test) for page in PAGES for file, test in TEST.findall(page.read_text())}
    missing = [
        f"{file}::{test}" for file, test in sorted(named) if not re.search(rf"\bdef {test}\(", _text(REPOSITORY / file))
    ]
    assert missing == []


def test_every_page_of_the_documentation_is_named_by_the_readme():
    linked = set(LINK.findall((REPOSITORY / "README.md").read_text()))
    assert {name(page) for page in (REPOSITORY / "docs").glob("*.md")} - linked == set()


def test_the_api_reference_has_not_drifted():
    assert (REPOSITORY / "docs" / "api-reference.md").read_text() == render(), "run make generate"


@cache
def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""
