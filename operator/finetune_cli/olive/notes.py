"""What an import says about a key: where it stands, what became of it, what to do. Pure."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

Steps = tuple[str | int, ...]
"""The way to a value: keys and positions from the document's root."""

LEAVE_OUT = "leave it out"
"""What to do about a key that has no counterpart."""

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Kind(StrEnum):
    """What became of a key."""

    NOTE = "note"
    """Carried over or translated; worth knowing."""
    NOT_CARRIED = "not carried"
    """Has no counterpart, or a value that cannot be taken."""
    ERROR = "error"
    """Without it there is no manifest."""


@dataclass(frozen=True)
class Note:
    kind: Kind
    steps: Steps
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{json_path(self.steps)}: {self.kind}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


def json_path(steps: Steps) -> str:
    """As RFC 9535 writes it: $.passes.lora.config.r, $['a key'][0]."""
    return "$" + "".join(_step(step) for step in steps)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if PLAIN_KEY.fullmatch(step) else f"[{json.dumps(step, ensure_ascii=False)}]"
