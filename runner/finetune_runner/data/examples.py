"""Rows become examples: a prompt, and the completion that the model shall learn. Pure."""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.chat import ChatTemplate, conversation
from finetune_runner.data.marks import Text
from finetune_runner.data.template import Template, template_of
from finetune_runner.data.values import BadRowError, Row, given, is_text, text_of


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


MakeExample = Callable[[Row], Example]
"""Makes the example that a row says; raises BadRowError."""


def example_maker(preprocess: Preprocess, path: str, chat: ChatTemplate | None = None) -> MakeExample:
    """What makes examples of rows.

    Args:
        preprocess: how a row becomes text.
        path: where `preprocess` stands in the spec, for errors, such as spec.dataConfigs[0].preprocess.
        chat: the chat template of conversations. Without it (prepare has no tokenizer) a conversation is checked, and
            stands there as JSON.

    Raises:
        FineTuneError: DatasetInvalid, the template is malformed.
    """
    if preprocess.chat:
        column, where = preprocess.chat.messages_column, f"{path}.chat.messagesColumn"
        return lambda row: _as_text(_conversation(row, column, where, chat), row, [column])
    try:
        template = template_of(preprocess)
    except ValueError as error:
        raise FineTuneError(Reason.DATASET_INVALID, str(error), path=f"{path}.textTemplate") from error
    where = f"{path}.{_kind(preprocess)}"
    return lambda row: _as_text(_example(row, template, where), row, template.columns)


def build_examples(
    rows: Iterable[Row], preprocess: Preprocess, path: str, chat: ChatTemplate | None = None
) -> Iterator[Example]:
    """One example a row, in order; arguments as of example_maker.

    Raises:
        FineTuneError: DatasetInvalid, naming row and column: a column is missing, null, or holds an array or object;
            a conversation is none.
    """
    make = example_maker(preprocess, path, chat)
    return (_named(make, row, number) for number, row in enumerate(rows, start=1))


def columns_of(preprocess: Preprocess) -> list[str]:
    """The columns that are read, in order."""
    return [preprocess.chat.messages_column] if preprocess.chat else template_of(preprocess).columns


def distinct(examples: Iterable[Example]) -> Iterator[Example]:
    """Each example once, in the order of first appearance. Only digests are kept in memory."""
    seen: set[bytes] = set()
    for example in examples:
        digest = _digest(example)
        if digest not in seen:
            seen.add(digest)
            yield example


def split_held_out(
    examples: Callable[[], Iterable[Example]], fraction: float, seed: int, *, count: int = 0
) -> tuple[Iterator[Example], Iterator[Example]]:
    """Training and held-out examples, which share none: duplicates are removed before the split.

    A fraction above 0 holds out at least one example and leaves at least one to train on. Both keep their order.

    Args:
        examples: goes through them from the beginning, each time it is called; so they needn't fit into memory.
        fraction: share to hold out, below 1.
        seed: which ones.
        count: how many to hold out instead, where it is above 0.

    Raises:
        ValueError: there are too few distinct examples to leave one to train on.
    """
    if fraction <= 0 and count <= 0:
        return distinct(examples()), iter(())
    total = sum(1 for _ in distinct(examples()))
    wanted = count or max(1, min(round(total * fraction), total - 1))
    if wanted >= total:
        msg = f"{total} distinct rows cannot be split into training and {wanted} held-out rows"
        raise ValueError(msg)
    held_out = set(random.Random(seed).sample(range(total), wanted))  # noqa: S311
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


def _named(make: MakeExample, row: Row, number: int) -> Example:
    try:
        return make(row)
    except BadRowError as bad:
        message = f"row {number}: {bad.why}"
        raise FineTuneError(Reason.DATASET_INVALID, message, remedy=bad.remedy, path=bad.path) from bad


def _conversation(row: Row, column: str, path: str, chat: ChatTemplate | None) -> Example:
    try:
        messages = conversation(given(row, column, path))
        if chat is None:
            return Example("", json.dumps(messages, sort_keys=True, ensure_ascii=False), rendered=True)
        *turns, (completion, _) = chat.texts(messages)
    except BadRowError:
        raise
    except RecursionError as error:
        raise BadRowError(f"column {column!r} is nested too deeply", "Correct the row or remove it.", path) from error
    except (ValueError, TypeError) as error:
        raise BadRowError(f"column {column!r} {error}", "Correct the row or remove it.", path) from error
    return Example("".join(text for text, _ in turns), completion, tuple(turns), rendered=True)


def _example(row: Row, template: Template, path: str) -> Example:
    values = {column: text_of(row, column, path) for column in template.columns}
    return Example(
        prompt="".join(piece.render(values) for piece in template.prompt),
        completion="".join(piece.render(values) for piece in template.completion),
    )


def _as_text(example: Example, row: Row, columns: Iterable[str]) -> Example:
    """JSON can write half of a surrogate pair, which no tokenizer takes."""
    if not is_text(example.prompt + example.completion):
        why = f"{_no_text(row, columns)} holds half of a surrogate pair, which is no text"
        raise BadRowError(why, "Correct the row or remove it.")
    return example


def _no_text(row: Row, columns: Iterable[str]) -> str:
    """The first place in a row that is none; where it is the chat template, the text as a whole."""
    column = next((column for column in columns if not _is_text(row[column])), None)
    if column is None:
        return "the text"
    messages = row[column]
    if not isinstance(messages, list):
        return f"column {column!r}"
    number = next(number for number, message in enumerate(messages, start=1) if not _is_text(message))
    return f"message {number} of column {column!r}"


def _is_text(value: object) -> bool:
    return is_text(json.dumps(value, ensure_ascii=False))
