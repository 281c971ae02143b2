"""A finding about a spec. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")
