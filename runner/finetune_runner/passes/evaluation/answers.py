"""Comparing generated answers with expected ones. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

OTHER = "(other)"
"""Where the confusion counts put answers that no row expects."""
MAX_CLASSES = 50
"""More different answers than this are no classes, and get no confusion counts."""
KEPT = 100


@dataclass(frozen=True)
class Answer:
    """One row's outcome."""

    prompt: str
    expected: str
    got: str

    def right(self, *, ignore_case: bool) -> bool:
        if ignore_case:
            return self.expected.casefold() == self.got.casefold()
        return self.expected == self.got


def answer(prompt: str, completion: str, generated: str) -> Answer:
    """The outcome of one row.

    Args:
        prompt: what the model was given.
        completion: what it should have written.
        generated: what it wrote, up to its end-of-sequence token.
    """
    expected = completion.strip()
    return Answer(prompt, expected, cut(generated, lines=expected.count("\n") + 1))


def cut(generated: str, *, lines: int = 1) -> str:
    """As many of its first lines as are expected: what a model goes on to write after its answer is no part of it."""
    return "\n".join(generated.strip().split("\n")[:lines]).strip()


def accuracy(answers: Sequence[Answer], *, ignore_case: bool) -> float:
    """Share of right answers."""
    return sum(given.right(ignore_case=ignore_case) for given in answers) / len(answers)


def confusion(answers: Sequence[Answer], *, ignore_case: bool) -> dict[str, dict[str, int]]:
    """Expected answer to what was given how often; empty where there are too many for classes."""

    def named(text: str) -> str:
        return text.casefold() if ignore_case else text

    classes = {named(given.expected) for given in answers}
    if len(classes) > MAX_CLASSES:
        return {}
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for given in answers:
        got = named(given.got)
        counts[named(given.expected)][got if got in classes else OTHER] += 1
    return {expected: dict(sorted(counts[expected].items())) for expected in sorted(counts)}
