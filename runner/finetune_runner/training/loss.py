"""The loss on the tokens that count, with logits computed only for those.

A vocabulary of 262,144 makes the logits of a whole batch larger than everything else; a short answer needs few.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from finetune_api.resource.training import FLASH_ATTENTION
from finetune_runner.data.tokens import IGNORED


def token_losses(
    model: Any,
    *,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    labels: torch.Tensor,
    position_ids: torch.Tensor | None = None,
) -> torch.Tensor:
    """Negative log-likelihood in nats of each token that counts, in reading order.

    Args:
        model: a causal language model of transformers, with or without an adapter.
        input_ids: [batch, length].
        attention_mask: [batch, length], 0 at padding.
        labels: [batch, length], unshifted, IGNORED where a token does not count.
        position_ids: [batch, length], of packed sequences: they restart with each row, and no row sees another.

    Returns:
        float32 [tokens that count].
    """
    if position_ids is not None and model.config._attn_implementation == FLASH_ATTENTION:  # noqa: SLF001  it has no other name
        input_ids, labels, position_ids = in_one_row(input_ids, labels, position_ids)
    targets = labels[:, 1:]
    counts = functional.pad(targets != IGNORED, (0, 1), value=False)
    # transformers keeps packed rows apart by their positions, and only where there is no mask.
    seen = {"attention_mask": attention_mask} if position_ids is None else {"position_ids": position_ids}
    with _logits_only_where(model, counts):
        logits = model(input_ids=input_ids, use_cache=False, **seen).logits[0]
    return functional.cross_entropy(logits.float(), targets[counts[:, :-1]], reduction="none")


def in_one_row(
    input_ids: torch.Tensor, labels: torch.Tensor, position_ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sequences of packed rows one behind the other, [1, batch · length]: transformers hands flash attention the rows'
    bounds only then (modeling_flash_attention_utils._is_packed_sequence).
    """
    labels = torch.cat([labels.new_full((len(labels), 1), IGNORED), labels[:, 1:]], dim=1)  # nothing predicts the first
    return input_ids.view(1, -1), labels.view(1, -1), position_ids.view(1, -1)


@contextlib.contextmanager
def _logits_only_where(model: Any, chosen: torch.Tensor) -> Iterator[None]:
    """Hands the output head the chosen positions only: logits come out as [1, chosen, vocabulary].

    At the head and not behind the base model, so that what a model does to its logits afterwards, such as Gemma's
    soft cap or Granite's scale, is still the model's own code.
    """

    def choose(module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:  # noqa: ARG001
        return (inputs[0][chosen].unsqueeze(0), *inputs[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        yield
    finally:
        handle.remove()
