"""The items of a JSON array, one after another, of a text that may be larger than memory."""

import json
import re
from collections.abc import Iterator
from typing import TextIO

from finetune_runner.formats.errors import UnreadableFileError
from finetune_runner.formats.json_row import (
    LONG_NUMBER,
    LONG_NUMBER_REMEDY,
    LONGEST,
    TOO_DEEP,
    TOO_DEEP_REMEDY,
    TOO_LONG,
)

PART = 2**18
"""Characters that are read at a time, where no item is longer."""
MAY_GO_ON = 16
"""Characters before the end of what was read within which a number or a word may be cut."""
NO_SPACE = re.compile(r"[^ \t\r\n]")
DECODER = json.JSONDecoder()


def items_of(text: TextIO) -> Iterator[tuple[object, str]]:
    """The items of an array whose opening bracket has been read, each with its source.

    Raises:
        UnreadableFileError: the array is broken somewhere; what follows can't be told then.
    """
    part = _Part(text)
    if part.begins() != "]":
        yield part.item()
        while part.begins() == ",":
            part.at += 1
            yield part.item()
    if part.begins() != "]":
        raise part.broken("Expecting ',' delimiter", part.at)
    part.at += 1
    if part.begins():
        why = f"something stands behind the array, which ends with item {part.items}"
        raise UnreadableFileError(why, "Write one array; or one object a line, and set format: jsonl.")


class _Part:
    """As much of a text as is looked at."""

    def __init__(self, text: TextIO) -> None:
        """Reads nothing yet."""
        self.rest = text
        self.text = ""
        self.at = 0
        self.items = 0
        """How many have been read."""
        self._line = 1
        """Of the part's beginning."""

    def begins(self) -> str:
        """The next character that is no white space, at which the part then stands; empty at the text's end."""
        while True:
            found = NO_SPACE.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)
            if found:
                return found[0]
            if not self._more():
                return ""

    def item(self) -> tuple[object, str]:
        """The next one, behind which the part then stands, and its source."""
        self.begins()
        while True:
            try:
                item, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not (self._may_go_on(error) and self._more()):
                    raise self.broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self._refused(f"is {TOO_DEEP}", TOO_DEEP_REMEDY) from error
            except ValueError as error:
                raise self._refused(f"has {LONG_NUMBER}", LONG_NUMBER_REMEDY) from error
            else:
                if len(self.text) - end >= MAY_GO_ON or not self._more():
                    return item, self._passed(end)

    def broken(self, said: str, at: int) -> UnreadableFileError:
        """What is wrong behind an item; said and at: what the decoder says, and of which place."""
        if said.startswith("Unterminated string") or at >= len(self.text):
            said, remedy = "the file ends in the middle", "Upload it again, or correct it there."
        else:
            said, remedy = f"{said} (line {self._line_at(at)})", "Correct the file there."
        return UnreadableFileError(f"not JSON after item {self.items}: {said}", remedy)

    def _passed(self, end: int) -> str:
        source = self.text[self.at : end]
        self.at = end
        self.items += 1
        return source

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos > len(self.text) - MAY_GO_ON

    def _more(self) -> bool:
        """Reads on, and lets go of what was passed; False at the text's end, where nothing changes."""
        kept = len(self.text) - self.at
        if kept > LONGEST:
            where = f"(line {self._line_at(self.at)}) {TOO_LONG}"
            raise self._refused(where, "Correct the file there: a quote or a bracket may be missing.")
        more = self.rest.read(max(PART, kept))  # as much again, or else a long item would be read anew too often
        if more:
            self._line = self._line_at(self.at)
            self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def _line_at(self, at: int) -> int:
        return self._line + self.text.count("\n", 0, at)

    def _refused(self, why: str, remedy: str) -> UnreadableFileError:
        return UnreadableFileError(f"item {self.items + 1} {why}", remedy)
