"""How far one model's predictions are from another's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from finetune_runner.passes.evaluation.model_under_test import Loss

AT_ONCE = 2**22
"""Logits that are worked on at a time, in double precision: 32 MiB for each step of the computation."""


@dataclass(frozen=True)
class Comparison:
    """A row's predictions beside the reference's."""

    divergence: float
    """Kullback-Leibler divergence of the model from the reference in nats, summed over the tokens that count."""
    same: int
    """Tokens where both hold the same one for the likeliest."""
    tokens: int


def compare(reference: torch.Tensor, logits: torch.Tensor) -> Comparison:
    """Compares two models at a row's tokens: the sum of p · (log p - log q), p by the reference and q by the model.

    Args:
        reference: [tokens, vocabulary].
        logits: of the model under test, likewise.

    Raises:
        ValueError: the vocabularies differ in size.
    """
    if reference.shape != logits.shape:
        msg = f"{logits.shape[-1]} tokens in its vocabulary, and {reference.shape[-1]} in the reference's"
        raise ValueError(msg)
    logits = logits.to(reference.device)
    step = max(AT_ONCE // reference.shape[-1], 1)
    parts = zip(reference.split(step), logits.split(step), strict=True)  # type: ignore[no-untyped-call]
    divergence = sum(_divergence(theirs, ours) for theirs, ours in parts)
    same = (reference.argmax(dim=-1) == logits.argmax(dim=-1)).sum()
    return Comparison(float(divergence), int(same), len(reference))


def loss_of(logits: torch.Tensor, targets: Sequence[int]) -> Loss:
    """A row's loss, from the logits that each of its tokens that count is predicted by."""
    wanted = torch.tensor(targets, device=logits.device)
    return Loss(functional.cross_entropy(logits.float(), wanted, reduction="sum").item(), len(targets))


def _divergence(reference: torch.Tensor, logits: torch.Tensor) -> float:
    log_p = functional.log_softmax(reference.double(), dim=-1)
    log_q = functional.log_softmax(logits.double(), dim=-1)
    p = log_p.exp()
    return float(torch.where(p > 0, p * (log_p - log_q), 0.0).sum())
