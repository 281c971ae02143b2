"""A finding about a spec. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


def unknown_name(path: str, kind: str, name: str, known: Sequence[str]) -> Problem:
    """That a reference leads nowhere, with what it may lead to."""
    there_is = f"use one of: {', '.join(known)}" if known else "there is none; define one first"
    return Problem(path, f"no {kind} is named {name!r}", there_is)
