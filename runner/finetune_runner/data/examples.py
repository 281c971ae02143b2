"""Rows become examples: a prompt, and the completion that the model shall learn. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import Preprocess
from finetune_runner.data.template import Template, template_of


@dataclass(frozen=True)
class Example:
    """What one row says."""

    prompt: str
    """What the model is given; empty when the row has no answer of its own."""
    completion: str
    """What it shall write."""


def build_examples(rows: Sequence[Mapping[str, object]], preprocess: Preprocess, path: str) -> list[Example]:
    """One example a row, in order.

    Args:
        rows: column to value, as read from JSON.
        preprocess: how a row becomes text.
        path: where `preprocess` stands in the spec, for errors, such as spec.dataConfigs[0].preprocess.

    Raises:
        FineTuneError: DatasetInvalid, naming row and column: a column is missing, null, or holds an array or object.
    """
    try:
        template = template_of(preprocess)
    except ValueError as error:
        raise FineTuneError(Reason.DATASET_INVALID, str(error), path=f"{path}.textTemplate") from error
    where = f"{path}.textTemplate" if preprocess.text_template else f"{path}.textColumns"
    return [_example(row, number, template, where) for number, row in enumerate(rows, start=1)]


def deduplicated(examples: Sequence[Example]) -> list[Example]:
    """Each example once, in the order of first appearance."""
    return list(dict.fromkeys(examples))


def split_held_out(examples: Sequence[Example], fraction: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Training and held-out examples, which share none: duplicates are removed before the split.

    A fraction above 0 holds out at least one example and leaves at least one to train on. Both keep their order.

    Raises:
        ValueError: there are fewer than two distinct examples to split.
    """
    distinct = deduplicated(examples)
    if fraction <= 0:
        return distinct, []
    if len(distinct) < 2:  # noqa: PLR2004
        msg = f"{len(distinct)} distinct rows cannot be split into training and held-out rows"
        raise ValueError(msg)
    count = min(max(1, round(len(distinct) * fraction)), len(distinct) - 1)
    held_out = set(random.Random(seed).sample(range(len(distinct)), count))  # noqa: S311
    return (
        [example for index, example in enumerate(distinct) if index not in held_out],
        [example for index, example in enumerate(distinct) if index in held_out],
    )


def _example(row: Mapping[str, object], number: int, template: Template, path: str) -> Example:
    values = {column: _text(row, column, number, path) for column in template.columns}
    return Example(
        prompt="".join(piece.render(values) for piece in template.prompt),
        completion="".join(piece.render(values) for piece in template.completion),
    )


def _text(row: Mapping[str, object], column: str, number: int, path: str) -> str:
    """A column's value as text: numbers and booleans as JSON writes them."""
    if column not in row:
        there_is = ", ".join(str(name) for name in row) or "none"
        raise _invalid(f"row {number} has no column {column!r}", f"The columns there are: {there_is}.", path)
    value = row[column]
    if value is None:
        raise _invalid(f"column {column!r} of row {number} is null", "Fill it in or remove the row.", path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    kind = "an object" if isinstance(value, Mapping) else "an array"
    raise _invalid(f"column {column!r} of row {number} is {kind}", "Columns must hold text or numbers.", path)


def _invalid(message: str, remedy: str, path: str) -> FineTuneError:
    return FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=path)
