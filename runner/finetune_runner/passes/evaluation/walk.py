"""Taking rows through a model, once for all that is asked of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.evaluation.comparison import Comparison, compare, loss_of
from finetune_runner.passes.evaluation.model_under_test import Loss, ModelUnderTest

if TYPE_CHECKING:
    import torch

COMPARABLE = "Compare with a pass of the same model family, or leave kl out of the evaluator."


@dataclass(frozen=True)
class Asked:
    """What metrics need of each row."""

    new_tokens: int
    """Of an answer, at most; 0: no answer."""
    loss: bool


@dataclass(frozen=True)
class Found:
    """What a row was found to be, as far as it was asked for."""

    written: Sequence[int] = ()
    """The answer's tokens."""
    loss: Loss | None = None
    comparison: Comparison | None = None


def walk(
    model: ModelUnderTest, reference: ModelUnderTest | None, batch: Sequence[Encoded], asked: Asked
) -> Iterator[Found]:
    """Takes a batch through the model, and through the reference where there is one and a loss is asked for.

    Logits are given up row by row: of a large vocabulary a batch's alone may be gigabytes.

    Raises:
        FineTuneError: ModelUnsupported, the vocabularies differ.
    """
    prompts = [row.prompt for row in batch]
    if not asked.loss:
        yield from map(Found, model.generate(prompts, asked.new_tokens))
    elif not asked.new_tokens and not reference:
        yield from (Found(loss=loss) for loss in model.losses(batch))
    else:
        theirs = reference.logits(batch) if reference else (None for _ in batch)
        for row, (written, logits), wanted in zip(batch, _both(model, batch, asked), theirs, strict=True):
            comparison = None if wanted is None else _compared(wanted, logits)
            yield Found(written, loss_of(logits, row.targets), comparison)


def _both(
    model: ModelUnderTest, batch: Sequence[Encoded], asked: Asked
) -> "Iterator[tuple[Sequence[int], torch.Tensor]]":
    if asked.new_tokens:
        return iter(model.answers_and_logits(batch, asked.new_tokens))
    return (((), logits) for logits in model.logits(batch))


def _compared(reference: "torch.Tensor", logits: "torch.Tensor") -> Comparison:
    try:
        return compare(reference, logits)
    except ValueError as error:
        message = f"the model can't be compared: {error}"
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=COMPARABLE) from error
