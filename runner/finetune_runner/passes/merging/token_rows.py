"""Rows of an embedding or of the head that an adapter has for some tokens only: peft's TrainableTokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import PeftConfig

from finetune_runner.passes.merging.another_base import another_base
from finetune_runner.passes.merging.tensor_file import Stored
from finetune_runner.passes.merging.unfit import UnfitError

SUFFIX = ".token_adapter.trainable_tokens_delta"
"""peft's name of the rows, behind that of the module."""


@dataclass(frozen=True)
class TokenRows:
    """Rows that take the place of others, or come after all of them."""

    ids: Sequence[int]
    rows: Stored
    """[ids, hidden]"""

    def shape_in(self, name: str, base: Stored) -> tuple[int, ...]:
        """The shape of a weight with these rows in it: [tokens, hidden].

        Args:
            name: of the weight.
            base: what it was.

        Raises:
            UnfitError: there would be rows that nobody made, or an id is none.
            FineTuneError: ModelUnsupported, the adapter belongs to another base.
        """
        if not self.ids or not all(isinstance(token, int) and token >= 0 for token in self.ids):
            raise UnfitError(f"the adapter's ids of tokens are {list(self.ids)[:3]}")
        known, *hidden = base.shape
        if self.rows.shape != (len(self.ids), *hidden):
            raise another_base(f"its rows of {name} have the shape {self.rows.shape}, the base's {base.shape}")
        count = max(known, max(self.ids) + 1)
        if set(range(known, count)) - set(self.ids):
            raise UnfitError(f"the adapter has no rows of some tokens that {name} lacks")
        return count, *hidden

    def within(self, base: Stored, shape: tuple[int, ...]) -> torch.Tensor:
        """A weight with these rows in it, of that shape.

        Raises:
            ValueError: a row is not finite.
        """
        weight = base.read()
        rows = self.rows.read().to(weight.dtype)
        if not torch.isfinite(rows).all():
            msg = "the adapter's rows of tokens are not finite"
            raise ValueError(msg)
        if more := shape[0] - weight.shape[0]:
            weight = torch.cat((weight, weight.new_empty((more, *shape[1:]))))
        weight[list(self.ids)] = rows
        return weight


def token_indices(config: PeftConfig) -> Mapping[str, Sequence[int]]:
    """Each module's name to the ids of the tokens that the adapter has rows of.

    Raises:
        UnfitError: it does not tell the modules apart.
    """
    indices = getattr(config, "trainable_token_indices", None) or {}
    if not isinstance(indices, Mapping):
        raise UnfitError("the adapter sets trainable_token_indices without the embeddings' names")
    return indices
