"""Rows become examples: a prompt, and the completion that the model shall learn. Pure."""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.chat import ChatTemplate, conversation
from finetune_runner.data.marks import Text
from finetune_runner.data.template import Template, template_of


@dataclass(frozen=True)
class Example:
    """What one row says."""

    prompt: str
    """What the model is given; empty when the row has no answer of its own."""
    completion: str
    """What it shall write."""
    turns: tuple[Text, ...] = ()
    """Of a conversation: the prompt in parts, since the assistant's earlier turns count too."""
    rendered: bool = False
    """By a chat template, which wrote beginning and end of sequence where they belong."""


def build_examples(
    rows: Iterable[Mapping[str, object]], preprocess: Preprocess, path: str, chat: ChatTemplate | None = None
) -> Iterator[Example]:
    """One example a row, in order.

    Args:
        rows: column to value, as read from JSON.
        preprocess: how a row becomes text.
        path: where `preprocess` stands in the spec, for errors, such as spec.dataConfigs[0].preprocess.
        chat: the chat template of conversations. Without it (prepare has no tokenizer) a conversation is checked, and
            stands there as JSON.

    Raises:
        FineTuneError: DatasetInvalid, naming row and column: a column is missing, null, or holds an array or object;
            a conversation is none.
    """
    if preprocess.chat:
        column, where = preprocess.chat.messages_column, f"{path}.chat.messagesColumn"
        return (_conversation(row, number, column, where, chat) for number, row in enumerate(rows, start=1))
    try:
        template = template_of(preprocess)
    except ValueError as error:
        raise FineTuneError(Reason.DATASET_INVALID, str(error), path=f"{path}.textTemplate") from error
    where = f"{path}.{_kind(preprocess)}"
    return (_example(row, number, template, where) for number, row in enumerate(rows, start=1))


def distinct(examples: Iterable[Example]) -> Iterator[Example]:
    """Each example once, in the order of first appearance. Only digests are kept in memory."""
    seen: set[bytes] = set()
    for example in examples:
        digest = _digest(example)
        if digest not in seen:
            seen.add(digest)
            yield example


def split_held_out(
    examples: Callable[[], Iterable[Example]], fraction: float, seed: int
) -> tuple[Iterator[Example], Iterator[Example]]:
    """Training and held-out examples, which share none: duplicates are removed before the split.

    A fraction above 0 holds out at least one example and leaves at least one to train on. Both keep their order.

    Args:
        examples: goes through them from the beginning, each time it is called; so they needn't fit into memory.
        fraction: share to hold out, below 1.
        seed: which ones.

    Raises:
        ValueError: there are fewer than two distinct examples to split.
    """
    if fraction <= 0:
        return distinct(examples()), iter(())
    total = sum(1 for _ in distinct(examples()))
    if total < 2:  # noqa: PLR2004
        msg = f"{total} distinct rows cannot be split into training and held-out rows"
        raise ValueError(msg)
    count = min(max(1, round(total * fraction)), total - 1)
    held_out = set(random.Random(seed).sample(range(total), count))  # noqa: S311
    return (
        (example for index, example in enumerate(distinct(examples())) if index not in held_out),
        (example for index, example in enumerate(distinct(examples())) if index in held_out),
    )


def _kind(preprocess: Preprocess) -> str:
    if preprocess.pair:
        return "pair"
    return "textTemplate" if preprocess.text_template else "textColumns"


def _digest(example: Example) -> bytes:
    text = f"{example.prompt}\0{example.completion}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _conversation(row: Mapping[str, object], number: int, column: str, path: str, chat: ChatTemplate | None) -> Example:
    try:
        messages = conversation(_value(row, column, number, path))
        if chat is None:
            return Example("", json.dumps(messages, sort_keys=True), rendered=True)
        *turns, (completion, _) = chat.texts(messages)
    except ValueError as error:
        message = f"column {column!r} of row {number} {error}"
        raise _invalid(message, "Correct the row or remove it.", path) from error
    return Example("".join(text for text, _ in turns), completion, tuple(turns), rendered=True)


def _example(row: Mapping[str, object], number: int, template: Template, path: str) -> Example:
    values = {column: _text(row, column, number, path) for column in template.columns}
    return Example(
        prompt="".join(piece.render(values) for piece in template.prompt),
        completion="".join(piece.render(values) for piece in template.completion),
    )


def _text(row: Mapping[str, object], column: str, number: int, path: str) -> str:
    """A column's value as text: numbers and booleans as JSON writes them."""
    value = _value(row, column, number, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    kind = "an object" if isinstance(value, Mapping) else "an array"
    raise _invalid(f"column {column!r} of row {number} is {kind}", "Columns must hold text or numbers.", path)


def _value(row: Mapping[str, object], column: str, number: int, path: str) -> object:
    if column not in row:
        there_is = ", ".join(str(name) for name in row) or "none"
        raise _invalid(f"row {number} has no column {column!r}", f"The columns there are: {there_is}.", path)
    value = row[column]
    if value is None:
        raise _invalid(f"column {column!r} of row {number} is null", "Fill it in or remove the row.", path)
    return value


def _invalid(message: str, remedy: str, path: str) -> FineTuneError:
    return FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=path)
