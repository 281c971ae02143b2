"""Comparing generated answers with expected ones. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

OTHER = "(other)"
"""Where the confusion counts put answers that no row expects."""
KEPT = 100
"""Answers that metrics.json has word by word."""


@dataclass(frozen=True)
class Answer:
    """One row's outcome."""

    prompt: str
    expected: str
    got: str

    @property
    def right(self) -> bool:
        return self.expected == self.got


def as_if_written(completion: str, tokenizer: Any) -> str:
    """As it would read if the model had written it: without the marks that a chat's template ends it with.

    What the tokenizer has no token for keeps it as it is: no model can write that, and without it less would be asked.
    """
    ids = tokenizer(completion, add_special_tokens=False)["input_ids"]
    if tokenizer.unk_token_id in ids and tokenizer.unk_token_id != tokenizer.eos_token_id:
        return completion
    return str(tokenizer.decode(ids, skip_special_tokens=True))


def whole_answer(prompt: str, completion: str, generated: str) -> Answer:
    """The outcome of one row.

    Args:
        prompt: what the model was given.
        completion: what it should have written.
        generated: what it wrote, up to its end-of-sequence token.
    """
    return Answer(prompt, completion.strip(), generated.strip())


def first_lines(answer: Answer) -> Answer:
    """The answer in as many lines as are expected: what a model goes on to write after it is no part of it."""
    lines = answer.expected.count("\n") + 1
    return replace(answer, got="\n".join(answer.got.split("\n")[:lines]).strip())


def without_case(answer: Answer) -> Answer:
    return replace(answer, expected=answer.expected.casefold(), got=answer.got.casefold())


def confusion(answers: Sequence[Answer], classes: Collection[str]) -> dict[str, dict[str, int]]:
    """Expected answer to what was given how often."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for given in answers:
        counts[given.expected][given.got if given.got in classes else OTHER] += 1
    return {expected: dict(sorted(counts[expected].items())) for expected in sorted(counts)}
