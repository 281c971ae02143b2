"""One event of a job's story."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Chapter:
    """One event."""

    reason: str
    note: str
    which: str = ""
    """Tells it from others of the same reason; the same work always gives the same."""
    kind: Literal["Normal", "Warning"] = "Normal"
    place: int = 0
    """Among others of the same reason told at the same moment."""
