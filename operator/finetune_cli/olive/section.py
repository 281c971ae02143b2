"""A part of an Olive config that remembers what was read of it, so that nothing is lost silently. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from finetune_cli.olive.notes import Kind, Note, Steps, json_path

LEFT_OVER = "nothing in a FineTuneJob corresponds to it"
LEFT_OVER_REMEDY = "check its spelling, or leave it out"


@dataclass(frozen=True)
class Sourced:
    """A value, and where in the config it stands."""

    value: Any
    steps: Steps


def plain(value: Any) -> Any:
    """A value without where it stands, if that is with it."""
    return value.value if isinstance(value, Sourced) else value


class Ledger:
    """Which keys were read, and what there is to say."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._read: set[Steps] = set()
        self._on_the_way: set[Steps] = set()

    def read(self, steps: Steps) -> None:
        """The value there, with all in it, has been taken over."""
        self._read.add(steps)
        self._on_the_way.update(steps[:count] for count in range(len(steps)))

    def note(self, steps: Steps, message: str, remedy: str = "") -> None:
        self._add(Note(Kind.NOTE, steps, message, remedy))

    def not_carried(self, steps: Steps, message: str, remedy: str = "") -> None:
        """Reports a value; it counts as read."""
        self.read(steps)
        self._add(Note(Kind.NOT_CARRIED, steps, message, remedy))

    def given_again(self, first: Sourced, other: Sourced) -> None:
        """Reports another value for what the first says, unless it is the same."""
        if other.value is None or other.value == first.value:
            self.read(other.steps)
        else:
            message = f"{json_path(first.steps)} is given too, and counts"
            self.not_carried(other.steps, message, "leave one of the two out")

    def error(self, steps: Steps, message: str, remedy: str = "") -> None:
        self.read(steps)
        self._add(Note(Kind.ERROR, steps, message, remedy))

    def report_left_over(self, document: Any) -> None:
        """Reports every value that nobody read."""
        for steps in list(self._left_over(document, ())):
            self.not_carried(steps, LEFT_OVER, LEFT_OVER_REMEDY)

    def _add(self, note: Note) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _left_over(self, value: Any, steps: Steps) -> Iterator[Steps]:
        if steps in self._read:
            return
        inner = _inner(value)
        if not inner or steps not in self._on_the_way:
            if value not in (None, {}, []):
                yield steps
            return
        for key, item in inner:
            yield from self._left_over(item, (*steps, key))


class Section:
    """Keys with their values. Taking one marks it as read."""

    def __init__(
        self,
        ledger: Ledger,
        steps: Steps,
        entries: Mapping[str, Sourced],
        shadowed: Mapping[str, Sequence[Sourced]] | None = None,
    ) -> None:
        self.ledger = ledger
        self.steps = steps
        self._entries = dict(entries)
        self._shadowed = shadowed or {}

    @classmethod
    def of(cls, ledger: Ledger, sourced: Sourced) -> Self:
        """An object as a section. What is no object is reported, and becomes an empty section."""
        if isinstance(sourced.value, dict):
            found = {key: Sourced(value, (*sourced.steps, key)) for key, value in sourced.value.items()}
            return cls(ledger, sourced.steps, found)
        if sourced.value is not None:
            ledger.not_carried(sourced.steps, "expected an object")
        return cls(ledger, sourced.steps, {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: str) -> bool:
        found = self._entries.get(name)
        return found is not None and found.value is not None

    def peek(self, *names: str) -> Sourced | None:
        """The first of some keys that is there and not null; it does not count as read."""
        return next((self._entries[name] for name in names if name in self), None)

    def take(self, *names: str) -> Sourced | None:
        """The same, and it counts as read. What else is given for it is reported where it says something else."""
        found = self.peek(*names)
        if found is not None:
            self.ledger.read(found.steps)
            for name in names:
                for other in (self._entries.get(name, found), *self._shadowed.get(name, ())):
                    self.ledger.given_again(found, other)
        return found

    def number(self, *names: str) -> Sourced | None:
        """A number, also one written as text; 16.0 is 16. Anything else is left for the schema to refuse."""
        found = self.take(*names)
        return None if found is None else Sourced(_number(found.value), found.steps)

    def text(self, *names: str) -> Sourced | None:
        """Text. Anything else is reported."""
        found = self.take(*names)
        if found is None or isinstance(found.value, str):
            return found
        self.ledger.not_carried(found.steps, "expected text")
        return None

    def flag(self, *names: str) -> Sourced | None:
        """A boolean. Anything else is reported."""
        found = self.take(*names)
        if found is None or isinstance(found.value, bool):
            return found
        self.ledger.not_carried(found.steps, "expected true or false")
        return None

    def texts(self, *names: str) -> Sourced | None:
        """A list, or a single text as a list of one. Anything else is left for the schema to refuse."""
        found = self.take(*names)
        if found is not None and isinstance(found.value, str):
            return Sourced([found.value], found.steps)
        return found

    def part(self, *names: str) -> "Section":
        """An object within; empty where it is not there."""
        found = self.peek(*names)
        return Section.of(self.ledger, found or Sourced(None, (*self.steps, names[0])))

    def flat(self, *names: str) -> "Section":
        """With the keys of inner objects beside its own, as Olive lets them be written either way."""
        inner = [self.part(name) for name in names if name in self]
        own = self.less(*names)
        return joined(*inner, own, steps=self.steps) if inner else own

    def less(self, *names: str) -> "Section":
        """Without some keys."""
        rest = {key: item for key, item in self._entries.items() if key not in names}
        return Section(self.ledger, self.steps, rest, self._shadowed)

    def refuse(self, reasons: Mapping[str, tuple[str, str]]) -> None:
        """Reports keys that have no counterpart: name to what is to say and what to do."""
        for name, item in self._entries.items():
            if name in reasons and item.value is not None:
                self.ledger.not_carried(item.steps, *reasons[name])


def joined(first: Section, *more: Section, steps: Steps | None = None) -> Section:
    """Sections as one; of a key given several times the first counts, and the others are reported.

    Args:
        first: the one that counts before all others.
        more: the others.
        steps: where the whole stands; default: where the first does.
    """
    given: dict[str, list[Sourced]] = {}
    for section in (first, *more):
        for name in section:
            if item := section.peek(name):
                given.setdefault(name, []).extend((item, *section._shadowed.get(name, ())))  # noqa: SLF001
    entries = {name: items[0] for name, items in given.items()}
    shadowed = {name: items[1:] for name, items in given.items()}
    return Section(first.ledger, first.steps if steps is None else steps, entries, shadowed)


def items(ledger: Ledger, sourced: Sourced | None) -> list[Sourced]:
    """The items of a list. What is no list is reported."""
    if sourced is None:
        return []
    if not isinstance(sourced.value, list):
        ledger.not_carried(sourced.steps, "expected a list")
        return []
    return [Sourced(value, (*sourced.steps, index)) for index, value in enumerate(sourced.value)]


def _inner(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value
