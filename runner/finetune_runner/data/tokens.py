"""An example as tokens: one function for training, evaluation and generation, so that all see the same prompt.

Needs a transformers tokenizer, but neither torch nor transformers to import.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Literal

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.examples import Example
from finetune_runner.data.marks import Text

IGNORED = -100
"""Label of a token that does not count for the loss."""

PROBE = "a"

AT_ONCE = 256
CHARACTERS_AT_ONCE = 1_000_000
"""Examples a tokenizer is given at a time, and their characters: enough for all cores, and little enough to hold."""


@dataclass(frozen=True)
class Encoded:
    """One example's tokens."""

    ids: list[int]
    completion_start: int
    """Position of the completion's first token; what stands before is what generation starts from."""
    counts: list[bool]
    """Which tokens count for the loss; never the first, since nothing predicts it."""
    truncated: bool = False

    @property
    def prompt(self) -> list[int]:
        return self.ids[: self.completion_start]

    @property
    def completion(self) -> list[int]:
        return self.ids[self.completion_start :]

    @property
    def targets(self) -> list[int]:
        """The tokens that count for the loss."""
        return [token for token, counted in zip(self.ids, self.counts, strict=True) if counted]

    @property
    def labels(self) -> list[int]:
        """The tokens that count for the loss, IGNORED elsewhere; unshifted, as transformers has them."""
        return labels_of(self.ids, self.counts)


def labels_of(ids: Sequence[int], counts: Sequence[bool]) -> list[int]:
    return [token if counted else IGNORED for token, counted in zip(ids, counts, strict=True)]


@dataclass(frozen=True)
class Encoder:
    """Turns examples into tokens: beginning and end of sequence once each, length bounded."""

    tokenizer: Any
    prefix: list[int]
    """What the tokenizer puts before every text (BOS), empty for those that put nothing."""
    eos: int
    max_seq_len: int
    loss: Literal["completion", "all"]
    special: bool = True
    """Whether rows get beginning and end of sequence."""

    @classmethod
    def of(
        cls, tokenizer: Any, max_seq_len: int, loss: Literal["completion", "all"], *, special: bool = True
    ) -> "Encoder":
        """The encoder of a tokenizer.

        Raises:
            FineTuneError: ModelUnsupported, the tokenizer has no end-of-sequence token.
        """
        if tokenizer.eos_token_id is None:
            raise FineTuneError(
                Reason.MODEL_UNSUPPORTED,
                "the tokenizer has no end-of-sequence token, without which a model never learns to stop",
                remedy="Set eos_token in the model's tokenizer_config.json.",
                path="spec.inputModel.source",
            )
        return cls(tokenizer, _prefix(tokenizer), tokenizer.eos_token_id, max_seq_len, loss, special)

    def encode(self, example: Example, *, whole: bool = False) -> Encoded:
        """The example's tokens.

        A sequence that is too long loses the beginning of its prompt. Only a completion that is too long by itself
        is cut, at its end, and then has no end-of-sequence token either. With `whole` nothing is cut.
        """
        return next(self.encode_all([example], whole=whole))

    def encode_all(self, examples: Iterable[Example], *, whole: bool = False) -> Iterator[Encoded]:
        """Each example's tokens, in order, as `encode` gives them; a fast tokenizer uses all cores for it."""
        for batch in _batches(examples):
            parts = [_parts_of(example) for example in batch]
            joint = iter(self._all_ids([text for texts in parts for text in _growing(texts)]))
            for example, texts in zip(batch, parts, strict=True):
                yield self._cut(example, self._tokens(example, texts, list(islice(joint, len(texts)))), whole=whole)

    def joiner(self, text: str) -> list[int]:
        """Tokens of what stands between two rows."""
        return self._ids(text)

    def _prefix_of(self, ids: list[int], example: Example) -> tuple[list[int], int]:
        """What stands before the text, and how many of its own tokens that already is."""
        if self.prefix and ids[: len(self.prefix)] == self.prefix:
            return self.prefix, len(self.prefix)
        return (self.prefix if self.special and not example.rendered else []), 0

    def _tokens(self, example: Example, parts: list[Text], joint: list[list[int]]) -> list[tuple[list[int], bool]]:
        """Tokens of each part of the text, with whether they count; the completion is the last.

        Parts are tokenised as one text, since a tokenizer may treat a text's beginning specially, unless a token
        then spans two of them: generation has only the prompt, so the prompt's own tokens must come first.

        Args:
            example: whose parts they are.
            parts: the text's.
            joint: for each part the tokens of the text up to its end.
        """
        found: list[tuple[list[int], bool]] = []
        before: list[int] = []
        for (text, counted), so_far in zip(parts, joint, strict=True):
            shared = so_far[: len(before)] == before
            tokens = so_far[len(before) :] if shared else self._ids(text)
            found.append((tokens, counted))
            before = before + tokens
        tokens = found[-1][0]
        if self.special and not example.rendered and tokens[-1:] != [self.eos]:
            tokens.append(self.eos)
        return found

    def _cut(self, example: Example, parts: list[tuple[list[int], bool]], *, whole: bool) -> Encoded:
        ids = [token for tokens, _ in parts for token in tokens]
        counts = [counted or self.loss == "all" for tokens, counted in parts for _ in tokens]
        prefix, had = self._prefix_of(ids, example)
        ids, counts = ids[had:], counts[had:]
        start = max(len(ids) - len(parts[-1][0]), 0)
        room = len(ids) if whole else max(self.max_seq_len - len(prefix), 1)
        end = min(len(ids), start + room)
        begin = max(end - room, 0)
        kept = [self.loss == "all"] * len(prefix) + counts[begin:end]
        return Encoded(
            prefix + ids[begin:end], len(prefix) + start - begin, [False, *kept[1:]] if kept else [], len(ids) > room
        )

    def _ids(self, text: str) -> list[int]:
        return self._all_ids([text])[0]

    def _all_ids(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text. Tokenizers differ in what they make of an empty one: here it has none."""
        filled = [text for text in texts if text]
        made = iter(self.tokenizer(filled, add_special_tokens=False)["input_ids"] if filled else [])
        return [list(next(made)) if text else [] for text in texts]


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """A long conversation is tokenised up to each of its turns, so that not only the number of examples counts."""
    batch: list[Example] = []
    characters = 0
    for example in examples:
        batch.append(example)
        characters += sum(accumulate(len(text) for text, _ in _parts_of(example)))
        if len(batch) == AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _parts_of(example: Example) -> list[Text]:
    """The text in parts, each with whether it counts; the completion is the last."""
    return [*(example.turns or ((example.prompt, False),)), (example.completion, True)]


def _growing(parts: Iterable[Text]) -> Iterator[str]:
    """The text up to the end of each part."""
    return accumulate(text for text, _ in parts)


def _prefix(tokenizer: Any) -> list[int]:
    """What stands before a text's own tokens; tokenizers say in many ways whether they add it, so look."""
    plain = list(tokenizer(PROBE, add_special_tokens=False)["input_ids"])
    special = list(tokenizer(PROBE)["input_ids"])
    return special[: special.index(plain[0])]
