"""What evaluation asks of a model, whatever runs it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from finetune_runner.data.tokens import Encoded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Loss:
    """A row's negative log-likelihood in nats, summed over the tokens that count."""

    total: float
    tokens: int


class ModelUnderTest(Protocol):
    """A loaded model."""

    @property
    def context_length(self) -> int | None:
        """Most tokens of a prompt and its answer together; None where the model does not say."""
        ...

    @property
    def provider(self) -> str:
        """Of an ONNX model: the execution provider it runs on; empty for others."""
        ...

    def losses(self, batch: Sequence[Encoded]) -> list[Loss]:
        """Each row's loss, every token predicted from the right ones before it."""
        ...

    def logits(self, batch: Sequence[Encoded]) -> "Iterator[torch.Tensor]":
        """Row after row, what each token that counts is predicted by: [tokens that count, vocabulary].

        No more than a batch's are held, and few of those where the vocabulary is large.
        """
        ...

    def generate(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        """Greedily generated tokens after each prompt, without the prompt and without an end-of-sequence token."""
        ...

    def answers_and_logits(
        self, batch: Sequence[Encoded], max_new_tokens: int
    ) -> "Iterator[tuple[list[int], torch.Tensor]]":
        """Row after row, what `generate` and what `logits` tell of it."""
        ...

    def token_times(self, prompt: list[int], new_tokens: int) -> list[float]:
        """Seconds from the prompt until each of so many new tokens is known, whether or not they end the sequence."""
        ...


def up_to_stop(tokens: Sequence[int], stop: frozenset[int]) -> list[int]:
    """The tokens before the first that ends a sequence."""
    end = next((index for index, token in enumerate(tokens) if token in stop), len(tokens))
    return list(tokens[:end])
