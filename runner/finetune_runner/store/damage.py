"""What is wrong with a file of an artifact."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """A file that is not what was published, and in what way."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"
