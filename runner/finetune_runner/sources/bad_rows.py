"""Rows that can't be used: counted, named, and too many of them an error. Pure."""

from dataclasses import dataclass, field

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.values import BadRowError

NAMED = 3
"""Bad rows that are told of; the others are counted."""


@dataclass
class BadRows:
    """Those of one way through the rows."""

    limit: int
    """More than these are an error."""
    path: str
    """The data config's place in the spec."""
    count: int = 0
    named: list[str] = field(default_factory=list)
    """The first ones: place and what is wrong."""
    _first: BadRowError | None = None

    def add(self, where: str, bad: BadRowError, *, others_usable: bool) -> None:
        """Counts one.

        Args:
            where: its place, such as line 3 of a.csv.
            bad: what is wrong with it.
            others_usable: whether there were rows that can be used.

        Raises:
            FineTuneError: DatasetInvalid, there are too many; not before a few can be named.
        """
        self.count += 1
        self._first = self._first or bad
        if len(self.named) < NAMED:
            self.named.append(f"{where}: {bad.why}")
        if self.count >= NAMED:
            self.check(others_usable=others_usable)

    def check(self, *, others_usable: bool) -> None:
        """That they are not too many, at the end.

        Raises:
            FineTuneError: DatasetInvalid.
        """
        if self._first is None or self.count <= self.limit:
            return
        leave_out = " Or raise maxBadRows." if self.limit else " Or leave such rows out: set maxBadRows."
        remedy = self._first.remedy + (leave_out if others_usable else "")
        path = self._first.path or f"{self.path}.source"
        raise FineTuneError(Reason.DATASET_INVALID, self._message(), remedy=remedy, path=path)

    def _message(self) -> str:
        few = "; ".join(self.named)
        if self.limit:
            return f"{self.count} bad rows, and maxBadRows is {self.limit}: {few}"
        return few
