"""Figures of the held-out rows, each from the right tokens before it: no text is generated.

Greedy generation writes an answer word for word exactly where each of its tokens, end of sequence included, is the
model's first choice behind the right ones. So one forward pass tells both, for the price of the loss.
"""

from dataclasses import dataclass

import torch

from finetune_runner.data.tokens import IGNORED
from finetune_runner.training.loss import Score, negative_log_likelihood

LOSS = "loss"
TOKEN_ACCURACY = "token_accuracy"  # noqa: S105  no password
EXACT_MATCH = "exact_match"
EVALUATED = "eval_"
"""What the log puts before a figure of held-out rows."""
LOGGED = {"loss": LOSS, "tokenAccuracy": TOKEN_ACCURACY, "exactMatch": EXACT_MATCH}
"""Name of a metric in the resource to its name in the log."""


def score_for(metric: str) -> Score:
    """What a metric needs of each token; the metric by its name in the log."""
    return negative_log_likelihood if metric == LOSS else loss_and_hit


def loss_and_hit(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Loss of each token, and 1 where it is the first choice: float32 [2, tokens]."""
    return torch.stack([negative_log_likelihood(logits, wanted), (logits.argmax(-1) == wanted).float()])


@dataclass
class Tally:
    """Sums over batches."""

    loss: float = 0.0
    tokens: int = 0
    hits: int = 0
    rows: int = 0
    matches: int = 0

    def add(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """A batch.

        Args:
            scores: [tokens that count] or [2, tokens that count], as the score has made them.
            labels: [batch, length], unshifted, IGNORED where a token does not count.
        """
        losses, hits = (scores[0], scores[1]) if scores.dim() > 1 else (scores, None)
        self.loss += losses.sum().item()
        self.tokens += losses.numel()
        if hits is None:
            return
        lengths = [count for count in (labels[:, 1:] != IGNORED).sum(1).tolist() if count]
        self.hits += int(hits.sum().item())
        self.rows += len(lengths)
        self.matches += sum(bool(row.all()) for row in torch.split(hits.cpu(), lengths))

    def figures(self, metric: str) -> dict[str, float]:
        """The mean loss in nats a token, and the metric; both by their names in the log."""
        found = {LOSS: self.loss / self.tokens}
        if metric == TOKEN_ACCURACY:
            found[TOKEN_ACCURACY] = self.hits / self.tokens
        if metric == EXACT_MATCH:
            found[EXACT_MATCH] = self.matches / self.rows
        return found
