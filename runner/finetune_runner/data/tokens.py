"""An example as tokens: one function for training, evaluation and generation, so that all see the same prompt.

Needs a transformers tokenizer, but neither torch nor transformers to import.
"""

from dataclasses import dataclass
from typing import Any, Literal

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.examples import Example

IGNORED = -100
"""Label of a token that does not count for the loss."""

PROBE = "a"


@dataclass(frozen=True)
class Encoded:
    """One example's tokens."""

    ids: list[int]
    completion_start: int
    """Position of the completion's first token; what stands before is what generation starts from."""
    loss_start: int
    """Position of the first token that counts for the loss; never 0, since nothing predicts the first token."""

    @property
    def prompt(self) -> list[int]:
        return self.ids[: self.completion_start]

    @property
    def labels(self) -> list[int]:
        """The tokens that count for the loss, IGNORED elsewhere; unshifted, as transformers has them."""
        return [IGNORED] * self.loss_start + self.ids[self.loss_start :]


@dataclass(frozen=True)
class Encoder:
    """Turns examples into tokens: beginning and end of sequence once each, length bounded."""

    tokenizer: Any
    prefix: list[int]
    """What the tokenizer puts before every text (BOS), empty for those that put nothing."""
    eos: int
    max_seq_len: int
    loss: Literal["completion", "all"]

    @classmethod
    def of(cls, tokenizer: Any, max_seq_len: int, loss: Literal["completion", "all"]) -> "Encoder":
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
        return cls(tokenizer, _prefix(tokenizer), tokenizer.eos_token_id, max_seq_len, loss)

    def encode(self, example: Example) -> Encoded:
        """The example's tokens.

        A sequence that is too long loses the beginning of its prompt. Only a completion that is too long by itself
        is cut, at its end, and then has no end-of-sequence token either.
        """
        prompt, completion = self._parts(example)
        prefix = [] if (prompt or completion)[: len(self.prefix)] == self.prefix else self.prefix
        room = max(self.max_seq_len - len(prefix), 1)
        completion = completion[:room]
        kept = prompt[max(len(prompt) - (room - len(completion)), 0) :]
        start = len(prefix) + len(kept)
        loss_start = start if self.loss == "completion" else 0
        return Encoded(prefix + kept + completion, start, max(loss_start, 1))

    def _parts(self, example: Example) -> tuple[list[int], list[int]]:
        """Tokens of prompt and completion.

        They are tokenised as one text, since a tokenizer may treat a text's beginning specially, unless a token
        then spans both: generation has only the prompt, so the prompt's own tokens must come first.
        """
        prompt = self._ids(example.prompt)
        joint = self._ids(example.prompt + example.completion)
        shared = joint[: len(prompt)] == prompt
        completion = joint[len(prompt) :] if shared else self._ids(example.completion)
        return prompt, completion if completion[-1:] == [self.eos] else [*completion, self.eos]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _prefix(tokenizer: Any) -> list[int]:
    """What stands before a text's own tokens; tokenizers say in many ways whether they add it, so look."""
    plain = list(tokenizer(PROBE, add_special_tokens=False)["input_ids"])
    special = list(tokenizer(PROBE)["input_ids"])
    return special[: special.index(plain[0])]
