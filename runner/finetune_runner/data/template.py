"""The text template: which part of it is the prompt, and where the completion begins. Pure.

Only plain {column} placeholders are known: str.format would let a template reach into Python objects.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass

from finetune_api.resource.data import Preprocess
from finetune_api.validate import template_columns

NEWLINE = "\n"


@dataclass(frozen=True)
class Piece:
    """Literal text, and the column whose value follows it; no column at the template's end."""

    literal: str
    column: str = ""

    def render(self, values: Mapping[str, str]) -> str:
        return self.literal + (values[self.column] if self.column else "")


@dataclass(frozen=True)
class Template:
    """A row's text: prompt and completion. Without an answer all of it is completion."""

    prompt: tuple[Piece, ...]
    completion: tuple[Piece, ...]

    @property
    def columns(self) -> list[str]:
        """Columns it needs, in order, repeated ones once."""
        named = [piece.column for piece in (*self.prompt, *self.completion) if piece.column]
        return list(dict.fromkeys(named))


def template_of(preprocess: Preprocess) -> Template:
    """The template that a data config describes.

    Raises:
        ValueError: its textTemplate is malformed, or holds more than plain {column} placeholders.
    """
    if preprocess.pair:
        pair = preprocess.pair
        return Template(prompt=(Piece("", pair.input_column),), completion=(Piece("", pair.output_column),))
    if not preprocess.text_template:
        return Template(prompt=(), completion=_joined(preprocess.text_columns))
    columns = template_columns(preprocess.text_template)
    pieces = _pieces(preprocess.text_template)
    if not preprocess.answer_column and len(columns) < 2:  # noqa: PLR2004
        return Template(prompt=(), completion=pieces)
    return _split(pieces, _answer_position(pieces, preprocess.answer_column))


def _joined(columns: list[str]) -> tuple[Piece, ...]:
    return tuple(Piece(NEWLINE if index else "", column) for index, column in enumerate(columns))


def _pieces(template: str) -> tuple[Piece, ...]:
    return tuple(Piece(literal, column or "") for literal, column, _, _ in string.Formatter().parse(template))


def _answer_position(pieces: tuple[Piece, ...], answer_column: str) -> int:
    """Where the answer stands. A named column counts where it comes first, so that no prompt holds its answer."""
    if not answer_column:
        return max(index for index, piece in enumerate(pieces) if piece.column)
    if answer_column not in (named := [piece.column for piece in pieces]):
        msg = f"answerColumn {answer_column!r} is not a placeholder of textTemplate"
        raise ValueError(msg)
    return named.index(answer_column)


def _split(pieces: tuple[Piece, ...], answer: int) -> Template:
    """The literal before the answer ends the prompt; what follows the answer belongs to the completion."""
    return Template(
        prompt=(*pieces[:answer], Piece(pieces[answer].literal)),
        completion=(Piece("", pieces[answer].column), *pieces[answer + 1 :]),
    )
