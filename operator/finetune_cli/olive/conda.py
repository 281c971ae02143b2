"""What to know of a conda environment that an Olive config names. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from finetune_cli.kubectl_yaml import ManifestError, load_documents

OLDEST_PYTHON = (3, 10)
"""The oldest that today's transformers runs on."""
NIGHTLY = re.compile(r"nightly|\.dev\d")
PYTHON = re.compile(r"python\s*=+\s*(\d+)\.(\d+)")


def remarks(text: str) -> Iterator[str]:
    """What would fail today; nothing for a text that is no environment."""
    for requirement in _requirements(text):
        found = PYTHON.match(requirement)
        if found and (int(found[1]), int(found[2])) < OLDEST_PYTHON:
            yield f"{requirement}: today's transformers needs Python {'.'.join(map(str, OLDEST_PYTHON))} or later"
        elif NIGHTLY.search(requirement):
            yield f"{requirement}: a nightly build, which is not kept for long"
        elif requirement.startswith("git+"):
            yield f"{requirement}: a branch, which changes or disappears"


def _requirements(text: str) -> Iterator[str]:
    try:
        documents = load_documents(text)
    except ManifestError:
        return
    environment = documents[0] if documents and isinstance(documents[0], dict) else {}
    for item in _listed(environment.get("dependencies")):
        if isinstance(item, str):
            yield item[:200]
        elif isinstance(item, dict):
            yield from (inner[:200] for inner in _listed(item.get("pip")) if isinstance(inner, str))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
