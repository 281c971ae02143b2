"""Names that Kubernetes takes, made from names that Olive takes. Pure."""

import re

from finetune_cli.olive.section import Ledger, Sourced

MAX_CHARS = 63
ROOM = 58
"""Leaves room for a number."""


def label(raw: str, *, instead: str = "x") -> str:
    """A DNS label: dataset_default_train → dataset-default-train.

    Args:
        raw: any text.
        instead: what it is when nothing is left of the text.
    """
    found = re.sub(r"[^a-z0-9]+", "-", raw.lower()).strip("-")
    return found[:ROOM].strip("-") or instead


class Names:
    """The names of one list, each its own."""

    def __init__(self, ledger: Ledger, *reserved: str) -> None:
        self._ledger = ledger
        self._taken = set(reserved)
        self._known: dict[str, str] = {}

    def give(self, raw: Sourced) -> str:
        """A name for something; says so where it is another one."""
        name = self.unused(label(str(raw.value)))
        if name != raw.value:
            self._ledger.note(
                raw.steps, f"{str(raw.value)[:MAX_CHARS]!r} is called {name!r}, as Kubernetes names things"
            )
        self._known.setdefault(str(raw.value), name)
        return name

    def also(self, raw: str, name: str) -> None:
        """Something that has a name is known by another one too."""
        self._known.setdefault(raw, name)

    def unused(self, wanted: str) -> str:
        """The name, with a number where it is taken."""
        number, name = 1, wanted
        while name in self._taken:
            number += 1
            name = f"{wanted}-{number}"
        self._taken.add(name)
        return name

    def known(self, raw: str) -> str | None:
        """What something is called here."""
        return self._known.get(raw)

    def __contains__(self, name: str) -> bool:
        return name in self._taken
